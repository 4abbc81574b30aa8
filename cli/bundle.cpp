// Bundles: what a driver carries where no link comes.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <csignal>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "cli/command.h"
#include "cli/json.h"
#include "cli/medium.h"
#include "cli/progress.h"
#include "cli/text.h"
#include "proto/control.pb.h"
#include "proto/size_text.h"

namespace fieldpost::cli {

namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr std::size_t read_bytes = 1U << 20;
// FAT takes no larger one; every other file system does.
constexpr std::uint64_t file_bytes_default = UINT32_MAX;
// Of a medium, for names and for what others write meanwhile.
constexpr std::uint64_t spared_bytes = 256U << 10;

// --- Ctrl-C leaves nothing behind

volatile std::sig_atomic_t is_interrupted = 0;

class Interruptible {
public:
    Interruptible() {
        struct sigaction action{};
        action.sa_handler = [](int) { is_interrupted = 1; };
        ::sigaction(SIGINT, &action, nullptr);
        ::sigaction(SIGTERM, &action, nullptr);
    }
};

Outcome<void> go_on() {
    return is_interrupted == 0
               ? Outcome<void>{}
               : std::unexpected(Failure{exit_failed, "interrupted", "it was stopped",
                                         "what was taken in stays; nothing was left behind"});
}

// "reading 4f1c93.bin: 12 of 40 MB, 3 MB/s, 9 s left".
class Rate {
public:
    explicit Rate(const Common& common) : line_(common) {}
    void show(const std::string& what, std::uint64_t done, std::uint64_t all) {
        const auto now = Clock::now();
        if (now - shown_ < std::chrono::milliseconds(200)) {
            return;
        }
        shown_ = now;
        const auto seconds = std::chrono::duration<double>(now - begun_).count();
        const auto rate = static_cast<std::uint64_t>(static_cast<double>(done) / seconds);
        auto words = fmt::format("{}: {}", what, human_size(done));
        if (all > done) {
            words += fmt::format(" of {}", human_size(all));
        }
        if (rate > 0) {
            words += fmt::format(", {}/s", human_size(rate));
        }
        if (rate > 0 && all > done) {
            const auto left = static_cast<std::int64_t>((all - done) / rate);
            words += fmt::format(", {} left", human_length(left));
        }
        line_.show(words);
    }
    void begin() { begun_ = Clock::now(); }
    void clear() { line_.clear(); }

private:
    ProgressLine line_;
    Clock::time_point begun_ = Clock::now();
    Clock::time_point shown_{};
};

// --- taking in

struct Taken {
    std::size_t files = 0;
    std::size_t ignored = 0;
    std::uint64_t new_reports = 0;
    std::uint64_t known = 0;
    std::uint64_t rejected = 0;
    std::vector<std::pair<std::string, std::string>> errors;  // file, reason
    std::vector<fs::path> own;                                // that this office left there before
    std::vector<fs::path> own_summaries;                      // of those, without any report
};

Outcome<wire::BundleRead> read_one(const Common& common, const fs::path& path, bool only_look,
                                   Rate& rate,
                                   std::vector<wire::BundleRead::Record>* records = nullptr) {
    auto file = InputFile::open(path);
    if (!file) {
        return std::unexpected(file.error());
    }
    wire::BundleRead told;
    std::uint64_t done = 0;
    rate.begin();
    while (true) {
        if (const auto going = go_on(); !going) {
            return std::unexpected(going.error());
        }
        auto some = file->read(read_bytes);
        if (!some) {
            return std::unexpected(some.error());
        }
        done += some->size();
        wire::Request request;
        auto& piece = *request.mutable_bundle_read();
        piece.set_bundle(told.bundle());
        piece.set_only_look(only_look);
        const bool is_end = some->size() < read_bytes || told.is_over();
        piece.set_is_end(is_end);
        piece.set_content(std::move(*some));
        wire::Answer answer;
        if (const auto asked = ask(common, request, answer); !asked) {
            return std::unexpected(asked.error());
        }
        told = answer.bundle_read();
        if (records != nullptr) {
            records->insert(records->end(), told.records().begin(), told.records().end());
        }
        if (is_end) {
            return told;
        }
        rate.show("reading " + safe_line(path.filename().string()), done, file->size());
    }
}

void add(Taken& taken, const fs::path& path, const wire::BundleRead& told) {
    const auto name = path.filename().string();
    if (!told.is_bundle()) {
        ++taken.ignored;
        return;
    }
    ++taken.files;
    taken.new_reports += told.new_reports();
    taken.known += told.known();
    taken.rejected += told.rejected();
    if (told.is_own()) {
        taken.own.push_back(path);
        if (told.new_reports() + told.known() + told.rejected() == 0) {
            taken.own_summaries.push_back(path);
        }
    }
    if (!told.refused().empty()) {
        taken.errors.emplace_back(name, told.refused());
    }
    for (const auto& reason : told.reasons()) {
        taken.errors.emplace_back(
            name, reason.reports() > 0
                      ? fmt::format("{} ({} reports)", reason.words(), reason.reports())
                      : reason.words());
    }
    if (!told.is_whole() && told.refused().empty()) {
        taken.errors.emplace_back(
            name, told.damaged_bytes() > 0
                      ? fmt::format("damaged: {} cannot be read; the rest was taken in",
                                    human_size(told.damaged_bytes()))
                      : "it ends too early; what is there was taken in");
    }
}

Outcome<Taken> take_in(const Common& common, const std::vector<fs::path>& paths) {
    std::vector<fs::path> files;
    std::set<fs::path> named;
    for (const auto& path : paths) {
        std::error_code error;
        if (!fs::is_directory(path, error)) {
            files.push_back(path);
            named.insert(path);
            continue;
        }
        auto inside = files_of(path);
        if (!inside) {
            return std::unexpected(inside.error());
        }
        std::ranges::move(*inside, std::back_inserter(files));
    }
    Rate rate(common);
    std::map<fs::path, wire::BundleRead> told;
    Taken taken;
    for (const auto& file : files) {
        if (const auto readable = InputFile::open(file); !readable && !named.contains(file)) {
            taken.errors.emplace_back(file.filename().string(), readable.error().what);
            continue;
        }
        auto one = read_one(common, file, false, rate);
        if (!one) {
            return std::unexpected(one.error());
        }
        told.emplace(file, *one);
    }
    // What one bundle brought, a roster say, may be what another one needed.
    const bool has_several =
        std::ranges::count_if(told, [](const auto& entry) { return entry.second.is_bundle(); }) > 1;
    for (auto& [file, one] : told) {
        if (has_several && (one.rejected() > 0 || one.reasons_size() > 0)) {
            auto again = read_one(common, file, false, rate);
            if (!again) {
                return std::unexpected(again.error());
            }
            again->set_new_reports(again->new_reports() + one.new_reports());
            again->set_known(again->known() - std::min(again->known(), one.new_reports()));
            one = std::move(*again);
        }
    }
    for (const auto& [file, one] : told) {
        add(taken, file, one);
    }
    return taken;
}

nlohmann::ordered_json json_of(const Taken& taken) {
    auto errors = nlohmann::ordered_json::array();
    for (const auto& [file, reason] : taken.errors) {
        errors.push_back({{"file", file}, {"reason", reason}});
    }
    return {{"files", taken.files},       {"new", taken.new_reports}, {"known", taken.known},
            {"rejected", taken.rejected}, {"ignored", taken.ignored}, {"errors", errors}};
}

void print(const Taken& taken) {
    fmt::print("read      {} bundle{}: {} new, {} known, {} rejected\n", taken.files,
               taken.files == 1 ? "" : "s", taken.new_reports, taken.known, taken.rejected);
    if (taken.ignored > 0) {
        fmt::print("ignored   {} other file{}\n", taken.ignored, taken.ignored == 1 ? "" : "s");
    }
    for (const auto& [file, reason] : taken.errors) {
        fmt::print("trouble   {}: {}\n", safe_line(file), safe_line(reason));
    }
}

int exit_of(const Taken& taken) {
    return taken.rejected > 0 || !taken.errors.empty() ? exit_needs_a_person : exit_done;
}

// --- writing

struct WriteOptions {
    std::vector<std::string> offices;
    std::string max_size;
    std::string file_size;
    bool is_all = false;
    bool has_records = true;
    bool must_hold_some = true;
};
struct Written {
    std::vector<fs::path> files;
    std::uint64_t bytes = 0;
    std::uint64_t reports = 0;
    std::uint64_t left_out = 0;
    bool is_short = false;
};

Failure no_size(const std::string& given) {
    return {exit_invalid, "invalid", fmt::format("{} is no size", given),
            "write it as 640kB, 20MiB or 4GiB"};
}

// The first file is `path`, or has a name that says nothing if that is a folder.
fs::path name_of_file(const fs::path& path, bool is_folder, std::size_t number) {
    if (is_folder) {
        return new_name(path);
    }
    return number == 1 ? path : fs::path(fmt::format("{}.{}", path.string(), number));
}

Outcome<Written> write_files(const Common& common, const fs::path& path,
                             const WriteOptions& options) {
    std::error_code error;
    const bool is_folder = fs::is_directory(path, error);
    if (!is_folder && fs::exists(fs::symlink_status(path, error))) {
        return std::unexpected(Failure{exit_invalid, "invalid",
                                       fmt::format("{} is there already", safe_line(path.string())),
                                       "choose another name"});
    }
    const auto folder = is_folder ? path : path.has_parent_path() ? path.parent_path() : ".";
    const auto free = free_bytes(folder);
    auto total = free - std::min(free, spared_bytes);
    auto a_file = file_bytes_default;
    if (!options.max_size.empty()) {
        const auto size = parse_size(options.max_size);
        if (!size) {
            return std::unexpected(no_size(options.max_size));
        }
        total = std::min(total, *size);
    }
    if (!options.file_size.empty()) {
        const auto size = parse_size(options.file_size);
        if (!size) {
            return std::unexpected(no_size(options.file_size));
        }
        a_file = std::min(a_file, *size);
    }
    Rate rate(common);
    Written written;
    wire::Request request;
    auto& wanted = *request.mutable_bundle_write();
    wanted.mutable_offices()->Add(options.offices.begin(), options.offices.end());
    wanted.set_is_all(options.is_all);
    wanted.set_has_records(options.has_records);
    std::vector<OutputFile> finished;
    for (bool is_over = false; !is_over;) {
        auto file = OutputFile::create(name_of_file(path, is_folder, finished.size() + 1));
        if (!file) {
            return std::unexpected(file.error());
        }
        const auto left = total - std::min(total, written.bytes);
        for (bool is_file_end = false; !is_file_end;) {
            if (const auto going = go_on(); !going) {
                return std::unexpected(going.error());
            }
            wanted.set_file_bytes_max(std::min(left, a_file));
            wanted.set_may_leave_out(left <= a_file || file->size() == 0);
            wire::Answer answer;
            if (const auto asked = ask(common, request, answer); !asked) {
                return std::unexpected(asked.error());
            }
            const auto& told = answer.bundle_write();
            if (const auto wrote = file->write(told.content()); !wrote) {
                return std::unexpected(wrote.error());
            }
            wanted.set_bundle(told.bundle());
            is_file_end = told.is_file_end();
            is_over = told.is_over();
            written.reports = told.reports();
            written.left_out = told.left_out();
            written.is_short = told.is_short();
            rate.show("writing", written.bytes + file->size(), 0);
        }
        written.bytes += file->size();
        if (const auto closed = file->close(); !closed) {
            return std::unexpected(closed.error());
        }
        finished.push_back(std::move(*file));
    }
    const bool lacks_all = written.reports == 0 && written.left_out > 0;
    if (written.is_short || (lacks_all && options.must_hold_some)) {
        return std::unexpected(
            Failure{exit_no_space, "no_space",
                    written.is_short ? "not even receipts fit there" : "not one report fits there",
                    "free space there, or give it more with --max-size"});
    }
    rate.clear();
    for (auto& file : finished) {
        if (const auto done = file.finish(); !done) {
            return std::unexpected(done.error());
        }
        written.files.push_back(file.path());
    }
    wanted.set_is_over(true);
    wire::Answer answer;
    (void)ask(common, request, answer);  // it would be forgotten in a minute anyway
    return written;
}

nlohmann::ordered_json json_of(const Written& written) {
    auto files = nlohmann::ordered_json::array();
    for (const auto& file : written.files) {
        files.push_back(file.string());
    }
    return {{"file", written.files.front().string()},
            {"records", written.reports},
            {"bytes", written.bytes},
            {"left_out", written.left_out},
            {"files", files}};
}

void print(const Written& written) {
    for (const auto& file : written.files) {
        fmt::print("written   {}\n", safe_line(file.string()));
    }
    fmt::print("holds     {} report{}, {}\n", written.reports, written.reports == 1 ? "" : "s",
               human_size(written.bytes));
    if (written.left_out > 0) {
        fmt::print("left out  {} report{} that did not fit\n", written.left_out,
                   written.left_out == 1 ? "" : "s");
    }
}

// What this office left there before goes once the new one is on the medium, unless that holds
// less.
Outcome<Written> write_in_place_of(const Common& common, const fs::path& folder,
                                   const WriteOptions& options, const std::vector<fs::path>& own) {
    auto written = write_files(common, folder, options);
    if (!written) {
        return written;
    }
    for (const auto& file : written->left_out == 0 ? own : std::vector<fs::path>{}) {
        if (const auto removed = remove_file(file); !removed) {
            return std::unexpected(removed.error());
        }
    }
    return written;
}

// --- the commands

int run_sync(const Common& common, const fs::path& folder) {
    const Interruptible interruptible;
    const auto taken = take_in(common, {folder});
    if (!taken) {
        return report(common, taken.error());
    }
    WriteOptions options;
    options.must_hold_some = false;
    const auto written = write_in_place_of(common, folder, options, taken->own);
    if (!written) {
        if (!common.json) {
            print(*taken);
        }
        return report(common, written.error());
    }
    if (common.json) {
        const nlohmann::ordered_json object = {{"import", json_of(*taken)},
                                               {"export", json_of(*written)}};
        fmt::print("{}\n", object.dump());
    } else {
        print(*taken);
        print(*written);
        fmt::print("Safe to take out\n");
    }
    return exit_of(*taken);
}

int run_import(const Common& common, const std::vector<std::string>& names, bool is_read_only) {
    const Interruptible interruptible;
    const std::vector<fs::path> paths(names.begin(), names.end());
    const auto taken = take_in(common, paths);
    if (!taken) {
        return report(common, taken.error());
    }
    // So that the next bundle brings what is lacking, and no more.
    WriteOptions summary;
    summary.has_records = false;
    std::error_code error;
    for (const auto& path : paths) {
        if (!is_read_only && fs::is_directory(path, error)) {
            std::vector<fs::path> own;
            std::ranges::copy_if(taken->own_summaries, std::back_inserter(own),
                                 [&](const auto& file) { return file.parent_path() == path; });
            const auto left = write_in_place_of(common, path, summary, own);
            if (!left && left.error().exit != exit_refused) {
                if (!common.json) {
                    print(*taken);
                }
                return report(common, left.error());
            }
        }
    }
    if (common.json) {
        fmt::print("{}\n", json_of(*taken).dump());
    } else {
        print(*taken);
    }
    return exit_of(*taken);
}

int run_export(const Common& common, const fs::path& path, const WriteOptions& options) {
    const Interruptible interruptible;
    const auto written = write_files(common, path, options);
    if (!written) {
        return report(common, written.error());
    }
    if (common.json) {
        fmt::print("{}\n", json_of(*written).dump());
    } else {
        print(*written);
    }
    return exit_done;
}

int run_inspect(const Common& common, const fs::path& path) {
    const Interruptible interruptible;
    Rate rate(common);
    std::vector<wire::BundleRead::Record> records;
    const auto told = read_one(common, path, true, rate, &records);
    rate.clear();
    if (!told) {
        return report(common, told.error());
    }
    if (!told->is_bundle()) {
        return report(common,
                      {exit_invalid, "invalid",
                       fmt::format("{} is no bundle of this network", safe_line(path.string())),
                       "is it the right file?"});
    }
    std::error_code error;
    const auto bytes = fs::file_size(path, error);
    const auto is_new = static_cast<std::size_t>(
        std::ranges::count_if(records, [](const auto& record) { return record.is_new(); }));
    if (common.json) {
        auto list = nlohmann::ordered_json::array();
        for (const auto& record : records) {
            list.push_back({{"id", record.id()},
                            {"priority", record.priority()},
                            {"size_bytes", record.size_bytes()},
                            {"is_new", record.is_new()}});
        }
        const nlohmann::ordered_json object = {
            {"from", text_or_null(told->office())},
            {"made_at", time_or_null(told->made_unix_s())},
            {"for", std::vector<std::string>(told->targets().begin(), told->targets().end())},
            {"bytes", bytes},
            {"whole", told->is_whole()},
            {"records", list}};
        fmt::print("{}\n", object.dump());
        return exit_done;
    }
    fmt::print("from      {}\n", told->office().empty() ? "it does not say" : told->office());
    if (told->made_unix_s() != 0) {
        fmt::print("made      {}\n", local_time(told->made_unix_s()));
    }
    fmt::print("for       {}\n", told->targets().empty()
                                     ? "everybody"
                                     : fmt::format("{}", fmt::join(told->targets(), ", ")));
    fmt::print("whole     {}\n", told->is_whole() ? "yes" : "no");
    fmt::print("holds     {} record{}, {} new here, {}\n", records.size(),
               records.size() == 1 ? "" : "s", is_new, human_size(bytes));
    if (!records.empty()) {
        Table table({"ID", "PRIORITY", "SIZE", "HERE"});
        for (const auto& record : records) {
            table.add({record.id(), record.priority(), human_size(record.size_bytes()),
                       record.is_new() ? "new" : "known"});
        }
        fmt::print("\n{}", table.text(terminal_width(), {2}));
    }
    return exit_done;
}

}  // namespace

void add_bundle(CLI::App& app, const Common& common, Run& run) {
    auto* bundle = app.add_subcommand("bundle", "carry records by hand, on a stick");
    bundle->require_subcommand(1);

    auto* sync = bundle->add_subcommand(
        "sync", "take in what is on a stick, and leave there what others lack");
    auto folder = std::make_shared<std::string>();
    sync->add_option("DIR", *folder, "the stick's folder")->required();
    sync->footer("Example: fieldpost bundle sync /media/usb");
    sync->callback(
        [&common, &run, folder] { run = [&common, folder] { return run_sync(common, *folder); }; });

    auto* out = bundle->add_subcommand("export", "write what others still lack to a file");
    auto path = std::make_shared<std::string>();
    auto options = std::make_shared<WriteOptions>();
    out->add_option("PATH", *path, "a new file, or a folder")->required();
    out->add_option("--for", options->offices, "only for this office; may be repeated")
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    out->add_option("--max-size", options->max_size, "no more than this in all: 20MiB");
    out->add_option("--file-size", options->file_size,
                    "begin another file after so much (4 GiB at the latest)");
    out->add_flag("--all", options->is_all, "also what they have, as far as is known");
    out->footer("Example: fieldpost bundle export /media/usb --for hq --max-size 500MB");
    out->callback([&common, &run, path, options] {
        run = [&common, path, options] { return run_export(common, *path, *options); };
    });

    auto* in = bundle->add_subcommand("import", "take in bundles");
    auto paths = std::make_shared<std::vector<std::string>>();
    auto is_read_only = std::make_shared<bool>(false);
    in->add_option("PATH", *paths, "bundles, or folders of them")->required();
    in->add_flag("--read-only", *is_read_only, "leave nothing there");
    in->footer("Example: fieldpost bundle import /media/usb");
    in->callback([&common, &run, paths, is_read_only] {
        run = [&common, paths, is_read_only] { return run_import(common, *paths, *is_read_only); };
    });

    auto* inspect = bundle->add_subcommand("inspect", "what is in a bundle, without taking it in");
    auto file = std::make_shared<std::string>();
    inspect->add_option("PATH", *file, "the bundle")->required();
    inspect->footer("Example: fieldpost bundle inspect /media/usb/4f1c93.bin");
    inspect->callback(
        [&common, &run, file] { run = [&common, file] { return run_inspect(common, *file); }; });
}

}  // namespace fieldpost::cli
