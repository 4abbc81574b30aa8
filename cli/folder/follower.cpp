#include "cli/folder/follower.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "cli/text.h"

namespace fieldpost::cli {

namespace {

using namespace std::chrono_literals;

constexpr std::chrono::nanoseconds look_every = 1s;
// Looking takes a hundredth of the time. It takes less if no name came or went. But a share need
// not tell that a name did.
constexpr int rest_of_looking = 100;
constexpr int rest_of_listing = 1000;
constexpr std::chrono::nanoseconds look_every_max = 10s;
constexpr std::chrono::nanoseconds list_every_max = 30s;
constexpr std::size_t names_max = 2 * (folder_files_max + folder_judged_max);
// Small files are read for this long. Then comes one piece of a large file, and then writing.
constexpr std::chrono::nanoseconds read_for = 2s;
// Reports that come within this time go into one file.
constexpr auto write_every = 5s;
// Files there are read first, because they may hold the reports that are to be left. The wait is
// limited to this.
constexpr auto wait_for_others = 25s;
constexpr auto urgent_waits = 2s;
// A medium that refused a file is tried again, each time after twice the wait. There may be room
// soon.
constexpr auto try_again = 2s;
constexpr unsigned try_again_doublings_max = 5;
constexpr auto tell_again = 60s;
constexpr auto held_up_after = 2min;
constexpr auto part_is_dead_after = 60s;

bool ends_all(const Failure& failure) {
    return failure.exit == exit_no_daemon || failure.code == "interrupted";
}

FolderTime later(FolderTime time, std::chrono::nanoseconds after) {
    return time + std::chrono::duration_cast<FolderTime::duration>(after);
}

}  // namespace

Follower::Follower(FolderHands& hands, FollowOptions options)
    : hands_(hands),
      options_([&] {
          std::ranges::sort(options.offices);
          const auto [first, last] = std::ranges::unique(options.offices);
          options.offices.erase(first, last);
          return std::move(options);
      }()),
      row_(options_.offices),
      started_at_(hands.now()) {}

// After a medium is taken out, its mount point remains as an empty folder of the disk below.
// Nothing is written there. A medium that comes back, or another one, is treated as after a start,
// because it may have been anywhere meanwhile.
Outcome<void> Follower::find_place() {
    const auto found = hands_.place();
    if (!found) {
        return std::unexpected(found.error());
    }
    if (place_ && place_->mount.size() > found->mount.size() &&
        place_->mount.starts_with(found->mount)) {
        return std::unexpected(Failure{
            exit_not_found, "not_found",
            fmt::format("what was mounted at {} is gone; nothing is left there", place_->mount),
            "put it back"});
    }
    const auto is_there = [&](const auto& name) { return hands_.stamp(name).has_value(); };
    const bool is_other =
        place_ &&
        (place_->mount != found->mount || place_->medium != found->medium ||
         (place_->folder != found->folder && std::ranges::none_of(row_.names(), is_there)));
    if (is_other) {
        files_ = FolderFiles();
        row_ = FolderRow(options_.offices);
        has_remembered_ = false;
        started_at_ = hands_.now();
        look_at_ = list_at_ = list_changed_at_ = not_before_ = {};
        owed_since_.reset();
        if (under_way_) {
            hands_.stop_reading(*under_way_);
            under_way_.reset();
        }
    }
    place_ = *found;
    return {};
}

Outcome<void> Follower::look() {
    const auto begun = hands_.now();
    if (begun < look_at_) {
        return {};
    }
    for (const auto& name : files_.names()) {
        if (const auto stamp = hands_.stamp(name)) {
            files_.see(name, *stamp, begun);
        } else {
            files_.miss(name);
        }
    }
    const bool is_changed = place_->names != listed_names_ || files_.has_too_many();
    if (begun >= (is_changed ? list_changed_at_ : list_at_)) {
        listed_names_ = place_->names;
        files_.begin_list();
        const auto listed = hands_.list(names_max, [&](const std::string& name) {
            if (!files_.wants(name, begun)) {
                return;
            }
            if (const auto stamp = hands_.stamp(name)) {
                files_.see(name, *stamp, begun);
            }
        });
        if (!listed) {
            return std::unexpected(listed.error());
        }
        files_.end_list(*listed, begun);
        const auto took = hands_.now() - begun;
        list_at_ = later(begun, std::clamp(rest_of_listing * took, look_every, list_every_max));
        list_changed_at_ =
            later(begun, std::clamp(rest_of_looking * took, look_every, look_every_max));
    }
    if (!options_.is_read_only) {
        remove_own_parts();
    }
    row_.note(files_.files(), begun);
    look_at_ = later(
        begun, std::clamp(rest_of_looking * (hands_.now() - begun), look_every, look_every_max));
    return {};
}

// True: the file was read to its end, or it cannot be.
Outcome<bool> Follower::take(const std::string& name, std::uint64_t bytes_max) {
    const auto begun = hands_.now();
    auto told = hands_.read(name, bytes_max);
    const auto now = hands_.now();
    if (!told && ends_all(told.error())) {
        return std::unexpected(told.error());
    }
    if (!told) {
        // One bad file must not hold up the other files, nor the writing.
        files_.failed(name, told.error(), now);
        return true;
    }
    if (!*told) {
        return false;
    }
    auto& read = **told;
    if (read.new_reports > 0) {
        hands_.say(fmt::format("{}: {} new from {}", name, read.new_reports, read.office));
    }
    if (read.brought_roster || read.new_reports > 0) {
        files_.read_refused_again();
    }
    auto troubles = troubles_of(name, read);
    if (!read.broken_off.empty()) {
        files_.failed(name, {exit_failed, "medium", troubles.front(), "try again"}, now);
        return true;
    }
    const auto since = under_way_ == name ? under_way_since_ : begun;
    files_.was_read(name, std::move(read), std::move(troubles), now, now - since);
    return true;
}

// Reads small files first, for a while. It reads one piece of a large file, so that no large file
// holds up the others.
Outcome<void> Follower::read() {
    const auto begun = hands_.now();
    for (const auto& name : files_.due(begun)) {
        if (hands_.now() - begun >= read_for) {
            break;
        }
        if (const auto done = take(name, UINT64_MAX); !done) {
            return std::unexpected(done.error());
        }
    }
    if (under_way_ && !files_.contains(*under_way_)) {
        hands_.stop_reading(*under_way_);
        under_way_.reset();
    }
    if (!under_way_) {
        under_way_ = files_.large_due(begun);
        under_way_since_ = begun;
    }
    if (!under_way_) {
        return {};
    }
    const auto name = *under_way_;
    const auto done = take(name, folder_piece_bytes);
    if (!done) {
        return std::unexpected(done.error());
    }
    if (*done) {
        under_way_.reset();
    }
    return {};
}

// True if this office has changed since the last file was left there.
Outcome<bool> Follower::has_changed() {
    const auto standing = hands_.standing(row_.state());
    if (!standing) {
        return std::unexpected(standing.error());
    }
    const auto before = std::exchange(roster_version_, standing->roster_version);
    if (before != 0 && before != roster_version_) {
        files_.read_refused_again();
        files_.read_others_again();
    }
    urgent_known_ = standing->urgent_known;
    return !standing->is_unchanged;
}

// A power cut may leave an unfinished file of ours without any content to recognize it by. Only its
// name shows that it is ours.
void Follower::remove_own_parts() {
    const auto now = hands_.now();
    for (const auto& name : files_.names()) {
        const auto& file = files_.files().at(name);
        if (now - file.changed_at >= part_is_dead_after && hands_.is_own_part(name) &&
            hands_.remove(name, file.stamp)) {
            files_.erase(name);
        }
    }
}

// True while files that were there before the debt began are unread. Files that come later cannot
// prolong this wait.
bool Follower::must_wait() const {
    const auto now = hands_.now();
    if (!has_remembered_) {
        return files_.has_unread_since(started_at_ + 2 * look_every) &&
               now - started_at_ < wait_for_others;
    }
    if (!files_.has_unread_since(*owed_since_) || now - *owed_since_ >= wait_for_others) {
        return false;
    }
    return now - *owed_since_ < urgent_waits || urgent_known_ == urgent_written_;
}

Outcome<void> Follower::leave() {
    const auto now = hands_.now();
    const auto changed = has_changed();
    if (!changed) {
        return std::unexpected(changed.error());
    }
    if (options_.is_read_only) {
        return {};
    }
    if (!*changed && !row_.is_due(files_, now) && has_remembered_) {
        owed_since_.reset();
        write_failure_.reset();
        return {};
    }
    owed_since_ = owed_since_.value_or(now);
    if (now < not_before_) {
        return {};
    }
    if (must_wait()) {
        return {};
    }
    if (!std::exchange(has_remembered_, true)) {
        const auto ours = row_.candidates(files_.files());
        const auto row = hands_.row_among(ours);
        if (!row) {
            has_remembered_ = false;
            return std::unexpected(row.error());
        }
        row_.remember(ours, *row);
        files_.forget_own();
    }
    if (!*changed && !row_.is_due(files_, now)) {
        owed_since_.reset();
        return {};
    }
    auto written = write();
    write_failure_ = written ? std::nullopt : std::optional(written.error());
    not_before_ = now + (written ? write_every : try_again * (1U << failures_));
    failures_ = written ? 0 : std::min(failures_ + 1, try_again_doublings_max);
    if (written) {
        owed_since_.reset();
    }
    return written;
}

Outcome<void> Follower::write() {
    const auto now = hands_.now();
    auto order = row_.order(files_, now);
    auto relied_on = files_.holding_of_others();
    auto written = hands_.write(order, *place_);
    const bool is_in_row = written || written.error().code != "not_in_one";
    if (!is_in_row && row_.may_write_alone(now)) {
        row_.order_alone(order);
        written = hands_.write(order, *place_);
    }
    if (!written) {
        return std::unexpected(written.error());
    }
    urgent_written_ = urgent_known_;
    const auto replaced = row_.replaced_by(*written, files_.files(), now);
    row_.wrote(*written, is_in_row, std::move(relied_on), hands_.now());
    return left(*written, replaced);
}

Outcome<void> Follower::left(const Written& written, const std::vector<std::string>& replaced) {
    for (const auto& path : written.files) {
        ReadBundle told;
        told.is_bundle = true;
        told.is_own = true;
        told.is_whole = true;
        told.targets = options_.offices;
        const auto name = path.filename().string();
        if (const auto stamp = hands_.stamp(name)) {
            files_.add_own(name, *stamp, std::move(told), hands_.now());
        }
        hands_.say(fmt::format("{}: left there, {} reports", name, written.reports));
    }
    for (const auto& name : replaced) {
        if (const auto removed = hands_.remove(name, files_.files().at(name).stamp); !removed) {
            return removed;
        }
        files_.erase(name);
    }
    return {};
}

std::string Follower::trouble() const {
    const auto now = hands_.now();
    if (write_failure_) {
        return write_failure_->what;
    }
    if (!row_.left_out().empty()) {
        return row_.left_out();
    }
    if (owed_since_ && now - *owed_since_ >= held_up_after) {
        return fmt::format(
            "nothing could be left there for {} min",
            std::chrono::duration_cast<std::chrono::minutes>(now - *owed_since_).count());
    }
    return files_.trouble(now);
}

Outcome<void> Follower::tell(const std::string& trouble) {
    if (told_trouble_ == trouble || hands_.now() < tell_not_before_) {
        return {};
    }
    const auto told = hands_.tell(safe_line(trouble));
    tell_not_before_ = told ? FolderTime{} : hands_.now() + tell_again;
    if (told) {
        told_trouble_ = trouble;
        if (!trouble.empty()) {
            hands_.say(safe_line(trouble));
        }
    }
    return told;
}

Outcome<FolderTime> Follower::turn() {
    auto done = find_place();
    if (done) {
        done = look();
    }
    if (done) {
        done = read();
    }
    if (done) {
        done = leave();
    }
    if (!done && ends_all(done.error())) {
        return std::unexpected(done.error());
    }
    if (const auto told = tell(done ? trouble() : done.error().what);
        !told && ends_all(told.error())) {
        return std::unexpected(told.error());
    }
    const auto now = hands_.now();
    const bool is_busy = done && under_way_;
    return is_busy ? now : now + std::chrono::duration_cast<FolderTime::duration>(look_every);
}

}  // namespace fieldpost::cli
