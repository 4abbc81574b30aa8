#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "cli/attachments.h"
#include "cli/batches.h"
#include "cli/command.h"
#include "cli/file_names.h"
#include "cli/json.h"
#include "cli/reports.h"
#include "cli/text.h"
#include "cli/words.h"
#include "proto/bytes.h"
#include "proto/control.pb.h"

namespace fieldpost::cli {

namespace {

struct ShowOptions {
    std::vector<std::string> ids;
    std::string save;
    bool raw = false;
};

// Explains the errno that is set.
Failure not_written(const std::filesystem::path& path) {
    const int why = errno;
    return {why == ENOSPC ? exit_no_space : exit_failed, "failed",
            fmt::format("cannot write {}: {}", path.string(), std::strerror(why)),
            "choose another folder"};
}

// Never writes over a file: "1.jpg", "1 (2).jpg", "1 (3).jpg" ...
struct NewFile {
    std::filesystem::path path;
    int fd = -1;
};
Outcome<NewFile> create_new(const std::filesystem::path& folder, const std::string& name) {
    const std::filesystem::path plain(name);
    for (int i = 1; i < 1000; ++i) {
        const auto path = folder / (i == 1 ? name
                                           : fmt::format("{} ({}){}", plain.stem().string(), i,
                                                         plain.extension().string()));
        const int fd =
            ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
        if (fd >= 0) {
            return NewFile{path, fd};
        }
        if (errno != EEXIST) {
            return std::unexpected(not_written(path));
        }
    }
    return std::unexpected(
        Failure{exit_failed, "failed", "too many files of that name", "choose another folder"});
}

Outcome<void> write_piece(const NewFile& file, BytesView piece) {
    while (!piece.empty()) {
        const auto written = ::write(file.fd, piece.data(), piece.size());
        if (written <= 0) {
            return std::unexpected(not_written(file.path));
        }
        piece = piece.subspan(static_cast<std::size_t>(written));
    }
    return {};
}

// The attachment comes in pieces, and stands there whole or not at all.
Outcome<std::string> save_new(const Common& common, const std::filesystem::path& folder,
                              const std::string& name, const wire::Entry& entry, int attachment) {
    const auto file = create_new(folder, name);
    if (!file) {
        return std::unexpected(file.error());
    }
    auto saved = each_piece(common, entry.id(), attachment,
                            [&](BytesView piece) { return write_piece(*file, piece); });
    if (saved && ::fsync(file->fd) != 0) {
        saved = std::unexpected(not_written(file->path));
    }
    ::close(file->fd);
    if (!saved) {
        ::unlink(file->path.c_str());
        return std::unexpected(saved.error());
    }
    return file->path.filename().string();
}

// Text as the editor of another machine meant it: without a byte-order mark, and with line ends of
// this machine. Raw text stays unchanged.
std::string as_lines(std::string_view text) {
    constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
    if (text.starts_with(byte_order_mark)) {
        text.remove_prefix(byte_order_mark.size());
    }
    std::string lines;
    for (std::size_t at = 0; at < text.size(); ++at) {
        const bool is_before_newline = at + 1 < text.size() && text[at + 1] == '\n';
        if (text[at] != '\r' || !is_before_newline) {
            lines += text[at];
        }
    }
    return lines;
}

// The day at the author counts for a weekly report. So the author's time is shown if it differs
// from here.
std::string written_at(const wire::Entry& entry) {
    const auto at = entry.created_unix_s();
    auto here = local_time(at);
    if (!entry.has_utc_offset_min()) {
        return here;
    }
    const auto there = time_at_offset(at, entry.utc_offset_min());
    return there == here
               ? here
               : fmt::format("{}; there {} {}", here, there, offset_text(entry.utc_offset_min()));
}

// More recipients than this would push the text off the screen.
constexpr int recipients_shown_max = 12;

// "38 delivered, 27 carried".
std::string counted_states(const wire::Entry& entry) {
    std::map<std::string, int> states;
    for (const auto& one : entry.recipients()) {
        ++states[one.state()];
    }
    std::vector<std::string> words;
    words.reserve(states.size());
    for (const auto& [state, count] : states) {
        words.push_back(fmt::format("{} {}", count, state));
    }
    return fmt::format("{}; each: fieldpost trace {}", fmt::join(words, ", "), id_of(entry));
}

void print_entry(const wire::Entry& entry) {
    const auto line = [](std::string_view label, const std::string& value) {
        if (!value.empty()) {
            fmt::print("{:<9} {}\n", label, safe_line(value));
        }
    };
    line("id", entry.id());
    line("from", entry.from());
    line("to", fmt::format("{}", fmt::join(entry.to(), ", ")));
    line("subject", entry.subject());
    line("type", entry.type());
    line("staff", entry.staff());
    line("written", written_at(entry) + (entry.clock_doubtful() ? " (clock in doubt)" : ""));
    line("here", local_time(entry.received_unix_s()));
    line("state", entry.reason().empty() ? entry.state() : entry.state() + ": " + entry.reason());
    const bool are_counted = entry.recipients_size() > recipients_shown_max;
    line("", are_counted ? counted_states(entry) : "");
    for (const auto& one : entry.recipients()) {
        // An answer may have words that nothing else shows.
        if (are_counted && one.acknowledged_unix_s() == 0) {
            continue;
        }
        auto words = one.office() + " " + one.state();
        if (one.acknowledged_unix_s() != 0) {
            words += fmt::format(" {} {}", local_time(one.acknowledged_unix_s()),
                                 word_of(one.outcome()));
            words += one.staff().empty() ? "" : " by " + one.staff();
            words += one.note().empty() ? "" : ", \"" + one.note() + "\"";
        } else if (one.delivered_unix_s() != 0) {
            words += " " + local_time(one.delivered_unix_s());
        }
        line("", words);
    }
    if (entry.withdrawn_unix_s() != 0) {
        line("withdrawn",
             local_time(entry.withdrawn_unix_s()) +
                 (entry.withdrawal_reason().empty() ? "" : ": " + entry.withdrawal_reason()));
    }
    if (entry.after_cut_off()) {
        line("warning", "beyond the cut-off of " + entry.from() + ": telephone before you use it");
    }
    line("reply to", entry.reply_to());
    line("replaces", entry.replaces());
    line("replaced", entry.replaced_by().empty() ? "" : "by " + entry.replaced_by());
    for (const auto& field : entry.fields()) {
        line("field", field.key() + " = " + field.value());
    }
    for (const auto& file : entry.attachments()) {
        line("attached", fmt::format("{} ({})", file.name(), human_size(file.size_bytes())));
    }
    if (!entry.is_open()) {
        fmt::print("\nThis office cannot read it.\n");
    } else {
        fmt::print("\n{}{}", safe_text(as_lines(entry.text())),
                   entry.text().ends_with('\n') ? "" : "\n");
    }
}

// Saves every attachment that can be saved. The error is that of the first one that cannot.
Outcome<void> save_all(const Common& common, const ShowOptions& options, const wire::Entry& entry) {
    Outcome<void> all;
    for (int i = 0; i < entry.attachments_size(); ++i) {
        const auto name = clean_name(entry.attachments(i).name());
        auto saved = save_new(common, options.save, name, entry, i);
        if (!saved && saved.error().exit == exit_failed) {
            saved = save_new(common, options.save, plain_name(name), entry, i);
        }
        if (!saved) {
            all = all ? std::unexpected(saved.error()) : std::move(all);
            continue;
        }
        if (!common.quiet) {
            fmt::print(stderr, "saved     {}{}\n", *saved,
                       *saved == name ? "" : fmt::format(" (it is called {})", name));
        }
    }
    return all;
}

Outcome<void> print(const Common& common, const ShowOptions& options, const wire::Entry& entry) {
    if (options.raw) {
        const bool to_terminal = isatty(STDOUT_FILENO) != 0;
        const auto text = to_terminal ? safe_text(entry.text()) : entry.text();
        std::fwrite(text.data(), 1, text.size(), stdout);
    } else if (common.json) {
        const auto sums = sums_of(common, entry);
        if (!sums) {
            return std::unexpected(sums.error());
        }
        fmt::print("{}\n", json_text(show_json(entry, *sums)));
    } else {
        print_entry(entry);
    }
    return {};
}

int run_show(const Common& common, const ShowOptions& options) {
    std::error_code ignored;
    if (!options.save.empty() && !std::filesystem::is_directory(options.save, ignored)) {
        return report(common, {exit_not_found, "not_found",
                               fmt::format("there is no folder {}", options.save),
                               "make it, or choose another"});
    }
    std::set<std::string> printed;
    Outcome<void> saved;
    const auto print_page = [&](const wire::Answer& answer) -> Outcome<void> {
        for (const auto& entry : answer.entries()) {
            const bool is_first = printed.empty();
            if (!printed.insert(entry.id()).second) {
                continue;
            }
            if (!options.save.empty()) {
                auto these = save_all(common, options, entry);
                saved = saved ? std::move(these) : std::move(saved);
            }
            if (!is_first && !options.raw && !common.json) {
                fmt::print("\n");
            }
            if (auto done = print(common, options, entry); !done) {
                return done;
            }
        }
        return {};
    };
    const auto shown = ask_in_pages(
        common, options.ids,
        [](std::span<const std::string> ids, bool only_check) {
            wire::Request request;
            request.mutable_show()->mutable_ids()->Assign(ids.begin(), ids.end());
            request.mutable_show()->set_only_check(only_check);
            return request;
        },
        print_page);
    if (!shown) {
        return report(common, shown.error());
    }
    return saved ? static_cast<int>(exit_done) : report(common, saved.error());
}

}  // namespace

void add_show(CLI::App& app, const Common& common, Run& run) {
    auto* command = app.add_subcommand("show", "read a report");
    auto options = std::make_shared<ShowOptions>();
    command->add_option("ID", options->ids, "hyesan-42; several are allowed")->required();
    command->add_option("--save", options->save, "write its attachments into this folder");
    command->add_flag("--raw", options->raw, "the text alone, byte for byte to a pipe");
    command->footer("Example: fieldpost show hyesan-42 --save .");
    command->callback([&common, &run, options] {
        run = [&common, options] { return run_show(common, *options); };
    });
}

}  // namespace fieldpost::cli
