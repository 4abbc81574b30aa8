#include "cli/bundle_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <map>
#include <set>

#include "cli/medium.h"
#include "cli/mounts.h"
#include "cli/text.h"
#include "proto/control.pb.h"
#include "proto/size_text.h"

namespace fieldpost::cli {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

namespace {

constexpr std::size_t read_bytes = 1U << 20;
// The largest file that FAT takes. Every other file system takes larger ones.
constexpr std::uint64_t file_bytes_default = UINT32_MAX;
// The room that stays free on a medium, for names and for other programs. On a small medium a
// quarter stays free.
constexpr std::uint64_t spared_bytes = 256U << 10;
constexpr std::uint64_t spared_of_small = 4;
// In a row a tenth stays free too, because more is put beside it, such as urgent reports.
constexpr std::uint64_t spared_in_row = 10;

volatile std::sig_atomic_t interrupted = 0;

Outcome<void> go_on() {
    return interrupted == 0
               ? Outcome<void>{}
               : std::unexpected(Failure{exit_failed, "interrupted", "it was stopped",
                                         "what was taken in stays; nothing was left behind"});
}

}  // namespace

Interruptible::Interruptible() {
    struct sigaction action{};
    action.sa_handler = [](int) { interrupted = 1; };
    ::sigaction(SIGINT, &action, nullptr);
    ::sigaction(SIGTERM, &action, nullptr);
}

bool Interruptible::is_interrupted() {
    return interrupted != 0;
}

void Rate::show(const std::string& what, std::uint64_t done, std::uint64_t all) {
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

// --- taking in

namespace {

ReadBundle read_of(const wire::BundleRead& told) {
    ReadBundle read;
    read.is_bundle = told.is_bundle();
    read.is_whole = told.is_whole();
    read.is_own = told.is_own();
    read.brought_roster = told.brought_roster();
    read.office = told.office();
    read.made_unix_s = told.made_unix_s();
    read.targets.assign(told.targets().begin(), told.targets().end());
    read.new_reports = told.new_reports();
    read.known = told.known();
    read.rejected = told.rejected();
    for (const auto& reason : told.reasons()) {
        read.reasons.emplace_back(reason.words(), reason.reports());
    }
    read.refused = told.refused();
    read.damaged_bytes = told.damaged_bytes();
    read.lacks_key = told.lacks_key();
    read.bookmark = told.bookmark();
    read.tail = told.tail();
    return read;
}

}  // namespace

Outcome<BundleReading> BundleReading::open(const Common& common, const fs::path& path,
                                           Reading reading) {
    auto file = InputFile::open(path);
    if (!file) {
        return std::unexpected(file.error());
    }
    return BundleReading(common, path, reading, std::move(*file));
}

// Empty: the file was read to its end. A file that has no name any more is not worth more time.
// Another file that now has its name is read for itself.
std::string BundleReading::broken_off() const {
    if (file_.failure()) {
        return file_.failure()->what;
    }
    const auto now = stamp_of(path_);
    return now && now->inode == stamp().inode && now->device == stamp().device
               ? ""
               : "it was taken away while it was read";
}

Outcome<std::optional<ReadBundle>> BundleReading::read_on(std::uint64_t bytes_max, Rate& rate) {
    for (std::uint64_t now = 0; now < bytes_max;) {
        if (const auto going = go_on(); !going) {
            return std::unexpected(going.error());
        }
        // Bytes that are appended meanwhile are left for the next reading, because some files never
        // stop growing. A file whose size is told as 0 need not be empty.
        const auto end = std::max<std::uint64_t>(file_.size(), read_bytes);
        const auto wanted = std::min<std::uint64_t>(read_bytes, end - done_);
        auto some = file_.read(wanted);
        if (file_.failure() && !is_still_there(path_)) {
            return std::unexpected(*file_.failure());
        }
        now += read_bytes;
        done_ += some.size();
        const auto broken = broken_off();
        wire::Request request;
        auto& piece = *request.mutable_bundle_read();
        piece.set_bundle(bundle_);
        piece.set_only_look(reading_ == Reading::only_look);
        const bool is_end = some.size() < wanted || done_ >= end || is_over_ || !broken.empty();
        piece.set_is_end(is_end);
        piece.set_content(std::move(some));
        wire::Answer answer;
        if (const auto asked = ask(*common_, request, answer); !asked) {
            return std::unexpected(asked.error());
        }
        const auto& told = answer.bundle_read();
        bundle_ = told.bundle();
        is_over_ = told.is_over();
        for (const auto& record : told.records()) {
            records_.push_back({record.id(), static_cast<RecordClass>(record.priority()),
                                record.size_bytes(), record.is_new()});
        }
        if (is_end) {
            auto read = read_of(told);
            read.broken_off = broken;
            read.records = std::move(records_);
            return read;
        }
        rate.show("reading " + safe_line(path_.filename().string()), done_, file_.size());
    }
    return std::nullopt;
}

Outcome<ReadBundle> read_bundle(const Common& common, const fs::path& path, Reading reading,
                                Rate& rate) {
    auto file = BundleReading::open(common, path, reading);
    if (!file) {
        return std::unexpected(file.error());
    }
    rate.begin();
    auto read = file->read_on(UINT64_MAX, rate);
    return read ? Outcome<ReadBundle>(std::move(**read)) : std::unexpected(read.error());
}

namespace {

struct ReadFile {
    Stamp stamp;
    ReadBundle told;
};

void add(Taken& taken, const fs::path& path, const ReadFile& read, bool is_named) {
    const auto& told = read.told;
    if (!told.is_bundle) {
        ++taken.ignored;
        for (auto& trouble : troubles_of(path, told)) {
            taken.errors.emplace_back(path.filename().string(), std::move(trouble));
        }
        if (is_named && told.broken_off.empty()) {
            taken.errors.emplace_back(path.filename().string(), "it is no bundle of this network");
        }
        return;
    }
    ++taken.files;
    taken.new_reports += told.new_reports;
    taken.known += told.known;
    taken.rejected += told.rejected;
    if (told.is_own) {
        taken.own.push_back({path, read.stamp});
        if (told.new_reports + told.known + told.rejected == 0) {
            taken.own_summaries.push_back({path, read.stamp});
        }
    }
    for (auto& trouble : troubles_of(path, told)) {
        taken.errors.emplace_back(path.filename().string(), std::move(trouble));
    }
}

}  // namespace

Outcome<Standing> standing_since(const Common& common, const std::string& state) {
    wire::Request request;
    request.mutable_folder_state()->set_state(state);
    wire::Answer answer;
    if (const auto asked = ask(common, request, answer); !asked) {
        return std::unexpected(asked.error());
    }
    const auto& told = answer.folder_state();
    return Standing{told.is_unchanged(), told.roster_version(), told.urgent_known()};
}

Outcome<std::vector<std::size_t>> row_among(const Common& common,
                                            const std::vector<RowCandidate>& files) {
    wire::Request request;
    auto& asked_about = *request.mutable_folder_row();
    for (const auto& [name, bookmark, tail] : files) {
        auto* file = asked_about.add_files();
        file->set_name(name);
        file->set_tail(tail);
    }
    wire::Answer answer;
    if (const auto asked = ask(common, request, answer); !asked) {
        return std::unexpected(asked.error());
    }
    return std::vector<std::size_t>(answer.folder_row().begin(), answer.folder_row().end());
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
    std::map<fs::path, ReadFile> told;
    Taken taken;
    for (const auto& file : files) {
        auto reading = BundleReading::open(common, file, Reading::take_in);
        if (!reading && !named.contains(file)) {
            taken.errors.emplace_back(file.filename().string(), reading.error().what);
            continue;
        }
        if (!reading) {
            return std::unexpected(reading.error());
        }
        rate.begin();
        auto one = reading->read_on(UINT64_MAX, rate);
        if (!one) {
            return std::unexpected(one.error());
        }
        told.emplace(file, ReadFile{reading->stamp(), std::move(**one)});
    }
    // A bundle may need something that a later one brought, such as a roster. So refused bundles
    // are read again, at most once for each file.
    auto brought = std::ranges::any_of(told, [](const auto& entry) {
        return entry.second.told.brought_roster || entry.second.told.new_reports > 0;
    });
    for (std::size_t round = 1; brought && round < told.size(); ++round) {
        brought = false;
        for (auto& [file, read] : told) {
            auto& one = read.told;
            // A file that broke off may be gone by now.
            if (!one.has_refused() || !one.broken_off.empty()) {
                continue;
            }
            auto again = read_bundle(common, file, Reading::take_in, rate);
            if (!again) {
                return std::unexpected(again.error());
            }
            brought = brought || again->brought_roster || again->new_reports > 0;
            again->new_reports += one.new_reports;
            again->known -= std::min(again->known, one.new_reports);
            one = std::move(*again);
        }
    }
    for (const auto& [file, read] : told) {
        add(taken, file, read, named.contains(file));
    }
    return taken;
}

// --- writing

namespace {

Failure no_size(const std::string& given) {
    return {exit_invalid, "invalid", fmt::format("{} is no size", given),
            "write it as 640kB, 20MiB or 4GiB"};
}

// The first file is `path`. In a folder it has the wanted name, or else a name that tells nothing.
fs::path name_of_file(const fs::path& path, bool is_folder, const std::string& wanted,
                      std::size_t number) {
    if (is_folder) {
        std::error_code error;
        const bool is_free = !fs::exists(fs::symlink_status(path / wanted, error));
        return number == 1 && !wanted.empty() && is_free ? path / wanted : new_name(path);
    }
    return number == 1 ? path : fs::path(fmt::format("{}.{}", path.string(), number));
}

struct Sizes {
    std::uint64_t total = 0;
    std::uint64_t file = 0;
};

Outcome<Sizes> sizes_of(const fs::path& folder, const WriteOptions& options) {
    const auto free = free_bytes(folder);
    const auto spared = std::max(std::min(spared_bytes, free / spared_of_small),
                                 options.row ? free / spared_in_row : 0);
    Sizes sizes{free - std::min(free, spared), file_bytes_default};
    for (const auto& [given, size] :
         {std::pair(&options.max_size, &sizes.total), std::pair(&options.file_size, &sizes.file)}) {
        if (given->empty()) {
            continue;
        }
        const auto wanted = parse_size(*given);
        if (!wanted) {
            return std::unexpected(no_size(*given));
        }
        *size = std::min(*size, *wanted);
    }
    return sizes;
}

// The files of one bundle. They have other names until finish().
class BundleFiles {
public:
    BundleFiles(const Common& common, fs::path path, bool is_folder, Sizes sizes,
                const WriteOptions& options)
        : common_(common),
          path_(std::move(path)),
          is_folder_(is_folder),
          sizes_(sizes),
          is_in_row_(options.row.has_value()),
          must_hold_news_(options.must_hold_news),
          temporary_(options.temporary) {
        auto& wanted = *request_.mutable_bundle_write();
        wanted.mutable_offices()->Add(options.offices.begin(), options.offices.end());
        wanted.set_is_all(options.is_all);
        wanted.set_has_records(options.has_records);
        wanted.mutable_others()->Add(options.others.begin(), options.others.end());
        if (options.row) {
            auto& row = *wanted.mutable_row();
            row.mutable_files()->Add(options.row->files.begin(), options.row->files.end());
            row.set_tail(options.row->tail);
            row.set_is_only_addition(options.row->is_only_addition);
        }
    }

    Outcome<void> write(Rate& rate) {
        for (bool is_over = false; !is_over;) {
            const auto ended = write_file(rate);
            if (!ended) {
                return std::unexpected(ended.error());
            }
            is_over = *ended;
        }
        return {};
    }
    Outcome<void> finish() {
        for (auto& file : files_) {
            if (const auto done = file.finish(); !done) {
                return std::unexpected(done.error());
            }
            written_.files.push_back(file.path());
        }
        return {};
    }
    // Tells the daemon that it may forget the bundle.
    ~BundleFiles() {
        auto& wanted = *request_.mutable_bundle_write();
        wanted.set_is_over(true);
        wire::Answer answer;
        if (wanted.bundle() != 0) {
            (void)ask(common_, request_, answer);
        }
    }
    BundleFiles(const BundleFiles&) = delete;
    BundleFiles& operator=(const BundleFiles&) = delete;
    [[nodiscard]] const Written& written() const { return written_; }

private:
    // True: no other file follows.
    Outcome<bool> write_file(Rate& rate) {
        std::optional<OutputFile> file;
        std::string waiting;  // content that is not worth a file yet
        const auto left = sizes_.total - std::min(sizes_.total, written_.bytes);
        auto& wanted = *request_.mutable_bundle_write();
        while (true) {
            if (const auto going = go_on(); !going) {
                return std::unexpected(going.error());
            }
            const auto size = file ? file->size() : 0;
            wanted.set_file_bytes_max(std::min(left, sizes_.file));
            wanted.set_may_leave_out(!is_in_row_ &&
                                     (left <= sizes_.file || size + waiting.size() == 0));
            wire::Answer answer;
            if (const auto asked = ask(common_, request_, answer); !asked) {
                return std::unexpected(asked.error());
            }
            const auto& told = answer.bundle_write();
            wanted.set_bundle(told.bundle());
            wanted.clear_row();
            wanted.clear_others();
            waiting += told.content();
            written_.reports = told.reports();
            written_.left_out = told.left_out();
            written_.is_short = told.is_short();
            written_.is_addition = told.is_addition();
            if (!file && (told.has_news() || !must_hold_news_)) {
                auto made = OutputFile::create(
                    name_of_file(path_, is_folder_, told.name(), files_.size() + 1),
                    files_.empty() ? temporary_ : std::string{});
                if (!made) {
                    return std::unexpected(made.error());
                }
                file.emplace(std::move(*made));
            }
            if (file) {
                if (const auto wrote = file->write(waiting); !wrote) {
                    return std::unexpected(wrote.error());
                }
                waiting.clear();
                const auto done = written_.bytes + file->size();
                rate.show("writing", done, done + told.left_bytes());
            }
            if (is_in_row_ && ((told.is_file_end() && !told.is_over()) || told.left_out() > 0)) {
                return std::unexpected(
                    Failure{exit_no_space, "not_in_one", "it does not fit one file", "free space"});
            }
            if (told.is_file_end()) {
                written_.bookmark = told.bookmark();
                written_.tail = told.tail();
                written_.state = told.state();
                return keep(std::move(file), told.is_over());
            }
        }
    }
    Outcome<bool> keep(std::optional<OutputFile> file, bool is_over) {
        if (!file) {
            return is_over;
        }
        written_.bytes += file->size();
        if (const auto closed = file->close(); !closed) {
            return std::unexpected(closed.error());
        }
        files_.push_back(std::move(*file));
        return is_over;
    }

    const Common& common_;
    fs::path path_;
    bool is_folder_;
    Sizes sizes_;
    bool is_in_row_;
    bool must_hold_news_;
    std::string temporary_;
    wire::Request request_;
    std::vector<OutputFile> files_;
    Written written_;
};

}  // namespace

namespace {

// Old files are removed only after all new ones are safe.
Failure with_old_state(Failure failure) {
    if (failure.code == "medium") {
        failure.next = "what was there before still is; is the medium? then try again";
    }
    return failure;
}

}  // namespace

Outcome<Written> write_bundle(const Common& common, const fs::path& path,
                              const WriteOptions& options) {
    std::error_code error;
    const bool is_folder = fs::is_directory(path, error);
    if (!is_folder && fs::exists(fs::symlink_status(path, error))) {
        return std::unexpected(Failure{exit_invalid, "invalid",
                                       fmt::format("{} is there already", safe_line(path.string())),
                                       "choose another name"});
    }
    const auto folder = is_folder ? path : path.has_parent_path() ? path.parent_path() : ".";
    if (const auto missing = missing_mount(folder)) {
        return std::unexpected(
            Failure{exit_not_found, "not_found",
                    fmt::format("nothing is mounted at {}", safe_line(missing->string())),
                    "put the medium in, or mount it; nothing was written"});
    }
    const auto sizes = sizes_of(folder, options);
    if (!sizes) {
        return std::unexpected(sizes.error());
    }
    Rate rate(common);
    BundleFiles files(common, path, is_folder, *sizes, options);
    if (const auto done = files.write(rate); !done) {
        rate.clear();
        return std::unexpected(with_old_state(done.error()));
    }
    const auto& written = files.written();
    const bool lacks_all = written.reports == 0 && written.left_out > 0;
    rate.clear();
    if (written.is_short || (lacks_all && options.must_hold_some)) {
        return std::unexpected(
            Failure{exit_no_space, "no_space",
                    written.is_short ? "not even receipts fit there" : "not one report fits there",
                    options.max_size.empty() ? "free space there, then try again"
                                             : "give it more with --max-size"});
    }
    if (const auto done = files.finish(); !done) {
        return std::unexpected(with_old_state(done.error()));
    }
    return written;
}

Outcome<Written> write_in_place_of(const Common& common, const fs::path& folder,
                                   const WriteOptions& options, const std::vector<OwnFile>& own) {
    auto written = write_bundle(common, folder, options);
    if (!written) {
        return written;
    }
    for (const auto& file : written->left_out == 0 ? own : std::vector<OwnFile>{}) {
        if (const auto removed = remove_file(file.path, file.stamp); !removed) {
            auto failure = removed.error();
            failure.next = "what is new is there, and what it replaces too; try again";
            return std::unexpected(std::move(failure));
        }
    }
    return written;
}

}  // namespace fieldpost::cli
