// Bundles: files that a driver carries where no link reaches.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/bundle_files.h"
#include "cli/folder/bundle_follow.h"
#include "cli/json.h"
#include "cli/text.h"
#include "cli/words.h"

namespace fieldpost::cli {

namespace {

namespace fs = std::filesystem;

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
        fmt::print("{}\n", json_text(object));
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
    // The summary makes the next bundle bring only what is missing here.
    WriteOptions summary;
    summary.has_records = false;
    std::error_code error;
    for (const auto& path : paths) {
        if (!is_read_only && fs::is_directory(path, error)) {
            std::vector<OwnFile> own;
            std::ranges::copy_if(taken->own_summaries, std::back_inserter(own),
                                 [&](const auto& file) { return file.path.parent_path() == path; });
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
        fmt::print("{}\n", json_text(json_of(*taken)));
    } else {
        print(*taken);
    }
    return exit_of(*taken);
}

int run_export(const Common& common, const fs::path& path, const WriteOptions& options) {
    const Interruptible interruptible;
    const auto written = write_bundle(common, path, options);
    if (!written) {
        return report(common, written.error());
    }
    if (common.json) {
        fmt::print("{}\n", json_text(json_of(*written)));
    } else {
        print(*written);
    }
    return exit_done;
}

int run_inspect(const Common& common, const fs::path& path) {
    const Interruptible interruptible;
    Rate rate(common);
    const auto told = read_bundle(common, path, Reading::only_look, rate);
    rate.clear();
    if (!told) {
        return report(common, told.error());
    }
    if (!told->broken_off.empty()) {
        return report(common, {exit_failed, "medium", told->broken_off,
                               "copy it from the medium once more, or ask for another bundle"});
    }
    if (!told->is_bundle) {
        return report(common,
                      {exit_invalid, "invalid",
                       fmt::format("{} is no bundle of this network", safe_line(path.string())),
                       "is it the right file?"});
    }
    const auto& records = told->records;
    std::error_code error;
    const auto bytes = fs::file_size(path, error);
    const auto is_new = static_cast<std::size_t>(
        std::ranges::count_if(records, [](const auto& record) { return record.is_new; }));
    if (common.json) {
        auto list = nlohmann::ordered_json::array();
        for (const auto& record : records) {
            list.push_back({{"id", record.id},
                            {"priority", name_of(record.priority)},
                            {"size_bytes", record.size_bytes},
                            {"is_new", record.is_new}});
        }
        const nlohmann::ordered_json object = {{"from", text_or_null(told->office)},
                                               {"made_at", time_or_null(told->made_unix_s)},
                                               {"for", told->targets},
                                               {"bytes", bytes},
                                               {"whole", told->is_whole},
                                               {"records", list}};
        fmt::print("{}\n", json_text(object));
        return exit_done;
    }
    fmt::print("from      {}\n", told->office.empty() ? "it does not say" : told->office);
    if (told->made_unix_s != 0) {
        fmt::print("made      {}\n", local_time(told->made_unix_s));
    }
    fmt::print("for       {}\n", told->targets.empty()
                                     ? "everybody"
                                     : fmt::format("{}", fmt::join(told->targets, ", ")));
    fmt::print("whole     {}\n", told->is_whole    ? "yes"
                                 : told->lacks_key ? "no, sealed with a newer key than is here"
                                                   : "no");
    fmt::print("holds     {} record{}, {} new here, {}\n", records.size(),
               records.size() == 1 ? "" : "s", is_new, human_size(bytes));
    if (!records.empty()) {
        Table table({"ID", "PRIORITY", "SIZE", "HERE"});
        for (const auto& record : records) {
            table.add({record.id, std::string(name_of(record.priority)),
                       human_size(record.size_bytes), record.is_new ? "new" : "known"});
        }
        fmt::print("\n{}", table.text(terminal_width(), {.right = {2}}));
    }
    return exit_done;
}

}  // namespace

void add_bundle(CLI::App& app, const Common& common, Run& run) {
    auto* bundle = app.add_subcommand("bundle", "carry records by hand, on a stick");
    bundle->require_subcommand(1);
    bundle->footer("Example: fieldpost bundle sync /media/usb");

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

    auto* follow = bundle->add_subcommand(
        "follow", "sync a folder again and again; the daemon does so for each [[folder]]");
    auto followed = std::make_shared<std::string>();
    auto how = std::make_shared<FollowOptions>();
    follow->add_option("DIR", *followed, "the folder")->required();
    follow->add_option("--for", how->offices, "only for this office; may be repeated")
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    follow->add_flag("--read-only", how->is_read_only, "leave nothing there");
    follow->footer("Example: fieldpost bundle follow /srv/exchange --for hq");
    follow->callback([&common, &run, followed, how] {
        run = [&common, followed, how] { return follow_folder(common, *followed, *how); };
    });

    auto* inspect = bundle->add_subcommand("inspect", "what is in a bundle, without taking it in");
    auto file = std::make_shared<std::string>();
    inspect->add_option("PATH", *file, "the bundle")->required();
    inspect->footer("Example: fieldpost bundle inspect /media/usb/4f1c93.bin");
    inspect->callback(
        [&common, &run, file] { run = [&common, file] { return run_inspect(common, *file); }; });
}

}  // namespace fieldpost::cli
