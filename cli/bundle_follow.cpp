#include "cli/bundle_follow.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <set>

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
// Where there was no room for all of it.
constexpr auto write_all_again = 10min;
// What was left there is gone and nobody has said to have it: it was lost on the way.
constexpr auto send_again = 24h;
// What was refused, for lack of room say, may find some.
constexpr auto read_again = 1h;
// One that is still not whole then was not just being copied.
constexpr auto damaged_after = 30s;
// So many of ours are put into one.
constexpr std::size_t own_files_max = 32;

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
    void remember_own();
    Outcome<void> leave();
    [[nodiscard]] bool is_all_due() const;
    Outcome<void> left(const Written& written);
    Outcome<void> tell(const std::string& trouble);
    [[nodiscard]] std::string trouble() const;

    Common common_;
    fs::path folder_;
    FollowOptions options_;
    std::map<fs::path, Seen> seen_;
    // Of ours there the newest that holds all, and what was put beside it since. Older ones may be
    // there as well: who copies both ways brings back what was removed.
    std::set<fs::path> current_;
    // Of the newest of them, as the daemon told it.
    std::string since_;
    std::string state_;
    bool owes_all_ = false;
    std::string left_out_;
    Clock::time_point wrote_all_at_{};
    Clock::time_point not_before_{};
    std::optional<std::string> told_trouble_;
};

Outcome<void> Follower::take(const fs::path& path, Seen& seen) {
    Rate rate(common_);
    auto told = read_bundle(common_, path, Reading::take_in, rate);
    if (!told) {
        return std::unexpected(told.error());
    }
    seen.troubles = troubles_of(path, *told);
    owes_all_ = owes_all_ || told->has_less;
    if (told->new_reports > 0) {
        fmt::print(stderr, "{}: {} new from {}\n", safe_line(path.string()), told->new_reports,
                   told->office);
    }
    if (told->brought_roster || told->new_reports > 0) {
        // What it brought may be what another file needed.
        for (auto& [other, one] : seen_) {
            one.is_read = one.is_read && (one.told.rejected == 0 && one.told.reasons.empty());
        }
    }
    seen.told = std::move(*told);
    seen.is_read = true;
    seen.read_at = Clock::now();
    return {};
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
        const bool is_due = seen.told.rejected > 0 && now - seen.read_at >= read_again;
        if ((seen.is_read && !is_due) || (seen.is_growing && now - seen.since < copied_after)) {
            continue;
        }
        const auto taken = take(path, seen);
        if (!taken && is_of_file(taken.error())) {
            seen.troubles = {taken.error().what};
            seen.is_read = true;  // one that cannot be read does not hold up the others
        } else if (!taken) {
            return taken;
        }
    }
    remember_own();
    return {};
}

// After a start: what an earlier run left there is not left again.
void Follower::remember_own() {
    if (!since_.empty()) {
        return;
    }
    std::multimap<std::int64_t, const fs::path*> ours;
    for (const auto& [path, seen] : seen_) {
        if (seen.is_own() && seen.told.is_whole && !seen.told.said.empty() &&
            std::ranges::is_permutation(seen.told.targets, options_.offices)) {
            ours.emplace(seen.told.made_unix_s, &path);
        }
    }
    for (const auto& [made, path] : ours) {
        const auto& told = seen_[*path].told;
        if (!told.is_addition) {
            current_.clear();
        }
        current_.insert(*path);
        since_ = told.said;
    }
}

bool Follower::is_all_due() const {
    if (since_.empty() || owes_all_) {
        return true;
    }
    std::uint64_t all = 0;
    std::uint64_t added = 0;
    std::size_t count = 0;
    for (const auto& [path, seen] : seen_) {
        if (current_.contains(path)) {
            (seen.told.is_addition ? added : all) += static_cast<std::uint64_t>(seen.stamp.size);
            ++count;
        }
    }
    if (count == 0) {
        // Whoever moves files takes them away.
        return Clock::now() - wrote_all_at_ >= send_again;
    }
    return count >= own_files_max || added >= std::max(all, std::uint64_t{1});
}

Outcome<void> Follower::leave() {
    if (options_.is_read_only || Clock::now() < not_before_) {
        return {};
    }
    // First what lies there is read: our own files, and what others have.
    if (std::ranges::any_of(seen_, [](const auto& entry) {
            return !entry.second.is_read && !entry.second.is_growing;
        })) {
        return {};
    }
    const bool is_all = is_all_due();
    WriteOptions options;
    options.offices = options_.offices;
    options.must_hold_some = false;
    options.must_hold_news = !since_.empty();
    options.is_due = owes_all_ || (is_all && Clock::now() - wrote_all_at_ >= send_again);
    options.state = state_;
    options.since = is_all ? std::string{} : since_;
    const auto written = write_bundle(common_, folder_, options);
    if (!written) {
        not_before_ = Clock::now() + write_every;
        return std::unexpected(written.error());
    }
    state_ = written->state;
    if (written->said.empty()) {
        return {};  // nothing has changed
    }
    return left(*written);
}

Outcome<void> Follower::left(const Written& written) {
    const auto now = Clock::now();
    since_ = written.said;
    if (!written.is_addition) {
        wrote_all_at_ = now;
        owes_all_ = written.left_out > 0;
        left_out_ = owes_all_ ? fmt::format("no room there for {} reports", written.left_out) : "";
        not_before_ = now + (owes_all_ ? std::chrono::seconds{write_all_again} : write_every);
    } else if (written.left_out > 0) {
        owes_all_ = true;
    }
    if (written.files.empty()) {
        return {};
    }
    not_before_ = std::max(not_before_, now + write_every);
    std::vector<fs::path> replaced;
    for (const auto& [path, seen] : seen_) {
        if (seen.is_own() && !written.is_addition && written.left_out == 0) {
            replaced.push_back(path);
        }
    }
    if (!written.is_addition) {
        current_.clear();
    }
    for (const auto& path : written.files) {
        current_.insert(path);
        Seen seen{.stamp = stamp_of(path).value_or(Stamp{}), .since = now, .is_read = true};
        seen.told.is_bundle = true;
        seen.told.is_own = true;
        seen.told.is_whole = true;
        seen.told.is_addition = written.is_addition;
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
    if (told_trouble_ == trouble) {
        return {};
    }
    wire::Request request;
    request.mutable_folder()->set_path(folder_.string());
    request.mutable_folder()->set_trouble(trouble);
    wire::Answer answer;
    const auto asked = ask(common_, request, answer);
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
