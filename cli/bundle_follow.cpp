#include "cli/bundle_follow.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <set>
#include <utility>

#include "cli/bundle_files.h"
#include "cli/medium.h"
#include "cli/text.h"
#include "proto/control.pb.h"

namespace fieldpost::cli {

namespace fs = std::filesystem;

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto look_every = 1s;
// One that has grown since it was first seen is being copied: read when it has not for so long.
constexpr auto copied_after = 20s;
// What comes within this time goes into one file.
constexpr auto write_every = 5s;
// All that others lack, instead of what is new: not more often, whatever they say.
constexpr auto write_all_every = 10min;
// Where there was no room for all of it.
constexpr auto write_short_every = 1h;
// What was left there is gone and nobody has said to have it: it was lost on the way.
constexpr auto send_again = 24h;
// Where others left something: that may not do any longer.
constexpr auto look_again = 1h;
// Of what files of others are said to hold; of more this office leaves its own copy.
constexpr std::size_t of_others_bytes_max = 8U << 20;
// What the medium refused.
constexpr auto try_again = 60s;
// A row of small ones becomes one.
constexpr std::size_t small_row = 8;
constexpr std::uint64_t small_row_bytes = 65536;
// Somebody else's file that is not whole yet may hold up ours for so long.
constexpr auto wait_for_others = 30s;
// What was refused, for lack of room say, may find some.
constexpr auto read_again = 1h;
// One that is still not whole then was not just being copied.
constexpr auto damaged_after = 30s;

struct Stamp {
    std::int64_t size = -1;
    std::int64_t changed_ns = 0;
    bool operator==(const Stamp&) const = default;
};

std::optional<Stamp> stamp_of(const fs::path& path) {
    struct stat about{};
    if (::lstat(path.c_str(), &about) != 0) {
        return std::nullopt;
    }
    return Stamp{about.st_size,
                 std::int64_t{about.st_mtim.tv_sec} * 1'000'000'000 + about.st_mtim.tv_nsec};
}

// And not the daemon's, which may take it the next time.
bool is_of_file(const Failure& failure) {
    return failure.code == "no_access" || failure.code == "not_found" ||
           failure.code == "invalid" || failure.code == "medium";
}

struct Seen {
    Stamp stamp{};
    Clock::time_point since{};
    bool is_growing = false;
    bool is_read = false;
    ReadBundle told{};
    Clock::time_point read_at{};
    std::vector<std::string> troubles{};

    [[nodiscard]] bool is_own() const { return told.is_own; }
};

class Follower {
public:
    Follower(const Common& common, fs::path folder, FollowOptions options)
        : common_(common), folder_(std::move(folder)), options_(std::move(options)) {
        common_.quiet = true;
    }

    int run();

private:
    Outcome<void> look();
    Outcome<void> take(const fs::path& path, Seen& seen);
    Outcome<bool> has_changed();
    void read_refused_again();
    void remember_own();
    Outcome<void> leave();
    [[nodiscard]] bool is_row_whole() const;
    [[nodiscard]] bool is_lost() const;
    [[nodiscard]] bool is_row_long() const;
    [[nodiscard]] std::set<fs::path> files_of_others() const;
    [[nodiscard]] bool is_due(const std::set<fs::path>& others) const;
    Outcome<void> write();
    Outcome<void> left(const Written& written, bool is_in_row);
    [[nodiscard]] bool may_replace(const fs::path& path, const Seen& seen) const;
    Outcome<void> tell(const std::string& trouble);
    [[nodiscard]] std::string trouble() const;

    Common common_;
    fs::path folder_;
    FollowOptions options_;
    std::map<fs::path, Seen> seen_;
    // Of ours there the newest that holds all, and what was put beside it since, in order. Older
    // ones may be there as well: who copies both ways brings back what was removed.
    struct Left {
        fs::path path;
        std::string holds;
    };
    std::vector<Left> row_;
    // What the last of them said, and the office's state then or later; as the daemon told it.
    std::string since_;
    std::string state_;
    std::uint32_t roster_version_ = 0;
    // Of others: what they hold this office did not leave there as well.
    std::set<fs::path> relied_on_;
    bool has_remembered_ = false;
    bool is_held_back_ = false;
    Clock::time_point looked_at_{};  // for what is to be left there
    // Since when some of the row are gone, but not all.
    std::optional<Clock::time_point> broken_since_;
    std::string left_out_;
    Clock::time_point wrote_all_at_{};
    Clock::time_point not_before_{};
    Clock::time_point tell_not_before_{};
    std::optional<std::string> told_trouble_;
};

Outcome<void> Follower::take(const fs::path& path, Seen& seen) {
    Rate rate(common_);
    auto told = read_bundle(common_, path, Reading::take_in, rate);
    if (!told) {
        return std::unexpected(told.error());
    }
    seen.troubles = troubles_of(path, *told);
    if (told->new_reports > 0) {
        fmt::print(stderr, "{}: {} new from {}\n", safe_line(path.string()), told->new_reports,
                   told->office);
    }
    if (told->brought_roster || told->new_reports > 0) {
        read_refused_again();
    }
    if (!told->broken_off.empty()) {
        return std::unexpected(Failure{exit_failed, "medium", told->broken_off, "try again"});
    }
    seen.told = std::move(*told);
    seen.is_read = true;
    seen.read_at = Clock::now();
    return {};
}

// What came since may be what they needed.
void Follower::read_refused_again() {
    for (auto& [path, seen] : seen_) {
        seen.is_read = seen.is_read && seen.told.rejected == 0 && seen.told.reasons.empty();
    }
}

Outcome<void> Follower::look() {
    const auto files = files_of(folder_);
    if (!files) {
        return std::unexpected(files.error());
    }
    std::erase_if(
        seen_, [&](const auto& entry) { return !std::ranges::binary_search(*files, entry.first); });
    const auto now = Clock::now();
    for (const auto& path : *files) {
        const auto stamp = stamp_of(path);
        if (!stamp) {
            continue;
        }
        auto& seen = seen_[path];
        if (seen.stamp != *stamp) {
            seen = Seen{.stamp = *stamp, .since = now, .is_growing = seen.stamp.size >= 0};
            continue;
        }
        const auto read_before = now - seen.read_at;
        const bool has_refused = seen.told.rejected > 0 || !seen.told.reasons.empty();
        const bool is_due = has_refused && read_before >= read_again;
        if ((seen.is_read && !is_due) || (seen.is_growing && now - seen.since < copied_after)) {
            continue;
        }
        const auto taken = take(path, seen);
        if (!taken && is_of_file(taken.error())) {
            seen.troubles = {taken.error().what};
            seen.told.holds.clear();
            seen.is_read = true;  // one that cannot be read does not hold up the others
        } else if (!taken) {
            return taken;
        }
    }
    return {};
}

// After a start: what an earlier run left there is not left again, if the row is whole. What was
// written otherwise, by `bundle export` say, vouches for nothing.
void Follower::remember_own() {
    std::multimap<std::int64_t, const fs::path*> ours;
    for (const auto& [path, seen] : seen_) {
        if (seen.is_own() && seen.told.place > 0 && seen.told.is_whole &&
            path.extension() != ".part" &&
            std::ranges::is_permutation(seen.told.targets, options_.offices)) {
            ours.emplace(seen.told.made_unix_s, &path);
        }
    }
    for (const auto& [made, path] : ours) {
        const auto place = seen_[*path].told.place;
        if (place == 1) {
            row_.clear();
        }
        const bool follows = place == row_.size() + 1;
        since_ = follows ? seen_[*path].told.said : "";
        if (!follows) {
            row_.clear();
            return;
        }
        row_.push_back({*path, seen_[*path].told.holds});
    }
}

bool Follower::is_row_whole() const {
    return std::ranges::all_of(row_, [&](const auto& left) { return seen_.contains(left.path); });
}

// What was there and is not any more, though nobody took it all away.
bool Follower::is_lost() const {
    const auto since_all = Clock::now() - wrote_all_at_;
    const bool is_gone =
        std::ranges::none_of(row_, [&](const auto& left) { return seen_.contains(left.path); });
    return is_gone ? since_all >= send_again
                   : broken_since_ && Clock::now() - *broken_since_ >= write_all_every &&
                         since_all >= write_all_every;
}

bool Follower::is_row_long() const {
    std::uint64_t bytes = 0;
    for (const auto& left : row_) {
        const auto seen = seen_.find(left.path);
        bytes += seen == seen_.end() ? 0 : static_cast<std::uint64_t>(seen->second.stamp.size);
    }
    return is_row_whole() && row_.size() >= small_row && bytes <= small_row_bytes;
}

// What they hold need not be left here again.
std::set<fs::path> Follower::files_of_others() const {
    std::set<fs::path> others;
    std::size_t bytes = 0;
    for (const auto& [path, seen] : seen_) {
        const auto& holds = seen.told.holds;
        // What is not whole yet is not moved by who moves files.
        if (!seen.is_own() && !holds.empty() && path.extension() != ".part" &&
            bytes + holds.size() <= of_others_bytes_max) {
            bytes += holds.size();
            others.insert(path);
        }
    }
    return others;
}

// Of this office, since it last looked for what is to be left there.
Outcome<bool> Follower::has_changed() {
    const auto standing = standing_since(common_, state_);
    if (!standing) {
        return std::unexpected(standing.error());
    }
    const auto before = std::exchange(roster_version_, standing->roster_version);
    if (before != 0 && before != roster_version_) {
        read_refused_again();
        // Who is no member any more is not read any more, by nobody.
        for (auto& [path, seen] : seen_) {
            seen.is_read = seen.is_read && (seen.is_own() || seen.told.holds.empty());
        }
    }
    return !standing->is_unchanged;
}

Outcome<void> Follower::leave() {
    const auto now = Clock::now();
    const auto changed = has_changed();
    if (!changed) {
        return std::unexpected(changed.error());
    }
    if (is_row_whole() || row_.empty()) {
        broken_since_.reset();
    } else if (!broken_since_) {
        broken_since_ = now;
    }
    // First what lies there is read: our own files, and what others have.
    const bool is_reading = std::ranges::any_of(seen_, [&](const auto& entry) {
        const auto& seen = entry.second;
        const bool was_read = seen.read_at != Clock::time_point{};
        return !seen.is_read && !seen.is_growing &&
               (was_read || now - seen.since < wait_for_others);
    });
    if (options_.is_read_only || now < not_before_ || is_reading) {
        return {};
    }
    if (!std::exchange(has_remembered_, true)) {
        remember_own();
    }
    if (!*changed && !is_due(files_of_others())) {
        return {};
    }
    const auto written = write();
    if (!written) {
        not_before_ = now + try_again;
    }
    return written;
}

// Although nothing has changed in this office.
bool Follower::is_due(const std::set<fs::path>& others) const {
    const auto now = Clock::now();
    return (!since_.empty() && is_lost()) ||
           (!left_out_.empty() && now - wrote_all_at_ >= write_short_every) ||
           (is_held_back_ && now - wrote_all_at_ >= write_all_every) ||
           (!relied_on_.empty() && now - looked_at_ >= look_again) ||
           !std::ranges::includes(others, relied_on_);
}

Outcome<void> Follower::write() {
    const auto now = Clock::now();
    WriteOptions options;
    options.offices = options_.offices;
    options.must_hold_some = false;
    options.is_in_row = true;
    options.must_hold_news = !since_.empty();
    options.since = is_lost() || is_row_long() ? std::string{} : since_;
    // What was held back by that is looked for when it ends.
    options.is_only_addition = now - wrote_all_at_ < write_all_every;
    is_held_back_ = options.is_only_addition;
    for (const auto& left : row_) {
        options.in_row.push_back(left.holds);
    }
    const auto others = files_of_others();
    for (const auto& path : others) {
        options.of_others.push_back(seen_.at(path).told.holds);
    }
    auto written = write_bundle(common_, folder_, options);
    const bool is_in_row = written || written.error().code != "not_in_one";
    if (!is_in_row) {
        // Not again and again, but at once after a start: what is urgent has a place there.
        if (!left_out_.empty() && now - wrote_all_at_ < write_short_every) {
            return std::unexpected(written.error());
        }
        options.is_in_row = false;
        options.since.clear();
        written = write_bundle(common_, folder_, options);
    }
    if (!written) {
        return std::unexpected(written.error());
    }
    state_ = written->state;
    relied_on_ = others;
    looked_at_ = now;
    return left(*written, is_in_row);
}

// Not a copy that somebody is making, and nothing that is for others than this one.
bool Follower::may_replace(const fs::path& path, const Seen& seen) const {
    const bool is_fresh = Clock::now() - seen.since < try_again;
    return seen.is_own() && std::ranges::is_permutation(seen.told.targets, options_.offices) &&
           (path.extension() != ".part" || !is_fresh);
}

Outcome<void> Follower::left(const Written& written, bool is_in_row) {
    const auto now = Clock::now();
    not_before_ = now + write_every;
    if (!written.is_addition) {
        wrote_all_at_ = now;
        left_out_ = is_in_row ? ""
                    : written.left_out > 0
                        ? fmt::format("no room there for {} reports", written.left_out)
                        : "what is to be left there does not fit one file";
    }
    if (written.files.empty()) {
        return {};  // there was no news in it
    }
    std::vector<fs::path> replaced;
    for (const auto& [path, seen] : seen_) {
        if (!written.is_addition && written.left_out == 0 && may_replace(path, seen)) {
            replaced.push_back(path);
        }
    }
    if (!written.is_addition) {
        row_.clear();
    }
    since_ = is_in_row ? written.said : "";
    for (const auto& path : written.files) {
        if (is_in_row) {
            row_.push_back({path, written.holds});
        }
        Seen seen{.stamp = stamp_of(path).value_or(Stamp{}), .since = now, .is_read = true};
        seen.told.is_bundle = true;
        seen.told.is_own = true;
        seen.told.is_whole = true;
        seen.told.targets = options_.offices;
        seen_.insert_or_assign(path, std::move(seen));
        fmt::print(stderr, "{}: left there, {} reports\n", safe_line(path.string()),
                   written.reports);
    }
    for (const auto& path : replaced) {
        if (const auto removed = remove_file(path); !removed) {
            return removed;
        }
        seen_.erase(path);
    }
    return {};
}

std::string Follower::trouble() const {
    if (!left_out_.empty()) {
        return left_out_;
    }
    for (const auto& [path, seen] : seen_) {
        if (!seen.troubles.empty() && Clock::now() - seen.since >= damaged_after) {
            return fmt::format("{}: {}", path.filename().string(), seen.troubles.front());
        }
    }
    return {};
}

Outcome<void> Follower::tell(const std::string& trouble) {
    if (told_trouble_ == trouble || Clock::now() < tell_not_before_) {
        return {};
    }
    wire::Request request;
    request.mutable_folder()->set_path(folder_.string());
    request.mutable_folder()->set_trouble(safe_line(trouble));
    wire::Answer answer;
    const auto asked = ask(common_, request, answer);
    tell_not_before_ = asked ? Clock::time_point{} : Clock::now() + try_again;
    if (asked) {
        told_trouble_ = trouble;
        if (!trouble.empty()) {
            fmt::print(stderr, "{}: {}\n", safe_line(folder_.string()), safe_line(trouble));
        }
    }
    return asked;
}

int Follower::run() {
    const Interruptible interruptible;
    while (!Interruptible::is_interrupted()) {
        auto done = look();
        if (done) {
            done = leave();
        }
        if (Interruptible::is_interrupted()) {
            break;
        }
        if (!done && done.error().exit == exit_no_daemon) {
            return report(common_, done.error());
        }
        if (const auto told = tell(done ? trouble() : done.error().what);
            !told && told.error().exit == exit_no_daemon) {
            return report(common_, told.error());
        }
        ::poll(nullptr, 0, static_cast<int>(std::chrono::milliseconds{look_every}.count()));
    }
    return exit_done;
}

}  // namespace

int follow_folder(const Common& common, const fs::path& folder, FollowOptions options) {
    std::ranges::sort(options.offices);
    const auto [first, last] = std::ranges::unique(options.offices);
    options.offices.erase(first, last);
    return Follower(common, folder, std::move(options)).run();
}

}  // namespace fieldpost::cli
