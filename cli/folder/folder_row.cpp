#include "cli/folder/folder_row.h"

#include <fmt/format.h>

#include <algorithm>

namespace fieldpost::cli {

namespace {

using namespace std::chrono_literals;

// Everything that others lack is written instead of only the news at most this often, whatever
// others do.
constexpr auto write_all_every = 10min;
// The wait after a row was written short, because there was no room for all of it.
constexpr auto write_short_every = 1h;
// A row that is gone, while no office has said that it has the reports, was lost on the way.
constexpr auto send_again = 24h;
// Files of others that this office relied on may no longer be enough.
constexpr auto look_again = 1h;
// A row of this many small files becomes one file.
constexpr std::size_t small_row = 8;
constexpr std::uint64_t small_row_bytes = 65536;
// A file younger than this may be a copy that another program is making.
constexpr auto part_is_old_after = 60s;

bool is_part_name(const std::string& name) {
    return name.ends_with(".part");
}

}  // namespace

std::vector<RowCandidate> FolderRow::candidates(const FolderFiles::Files& files) const {
    std::multimap<std::int64_t, RowCandidate> ours;
    for (const auto& [name, file] : files) {
        if (file.is_read && file.told.is_own && file.told.is_whole && !file.told.tail.empty() &&
            !is_part_name(name) && std::ranges::is_permutation(file.told.targets, offices_)) {
            ours.emplace(file.told.made_unix_s,
                         RowCandidate{name, file.told.bookmark, file.told.tail});
        }
    }
    std::vector<RowCandidate> candidates;
    for (auto& [made, file] : ours) {
        candidates.push_back(std::move(file));
    }
    return candidates;
}

void FolderRow::remember(const std::vector<RowCandidate>& candidates,
                         const std::vector<std::size_t>& row) {
    row_.clear();
    tail_.clear();
    for (const auto index : row) {
        if (index < candidates.size()) {
            row_.push_back({candidates[index].name, candidates[index].bookmark});
            tail_ = candidates[index].tail;
        }
    }
}

std::vector<std::string> FolderRow::names() const {
    std::vector<std::string> names;
    names.reserve(row_.size());
    for (const auto& left : row_) {
        names.push_back(left.name);
    }
    return names;
}

bool FolderRow::is_whole(const FolderFiles::Files& files) const {
    return std::ranges::all_of(row_, [&](const auto& left) { return files.contains(left.name); });
}

bool FolderRow::is_gone(const FolderFiles::Files& files) const {
    return std::ranges::none_of(row_, [&](const auto& left) { return files.contains(left.name); });
}

// A row that is only whole now and then, because a program takes a file and puts it back, is
// broken.
void FolderRow::note(const FolderFiles::Files& files, FolderTime now) {
    if (!is_whole(files)) {
        whole_since_.reset();
        broken_since_ = broken_since_.value_or(now);
        return;
    }
    whole_since_ = whole_since_.value_or(now);
    if (now - *whole_since_ >= write_all_every) {
        broken_since_.reset();
    }
}

// True if the row was there and is not any more, though no mover took all of it away.
bool FolderRow::is_lost(const FolderFiles::Files& files, FolderTime now) const {
    const auto since_all = now - wrote_all_at_;
    return is_gone(files) ? since_all >= send_again
                          : broken_since_ && now - *broken_since_ >= write_all_every &&
                                since_all >= write_all_every;
}

bool FolderRow::is_long(const FolderFiles::Files& files) const {
    std::uint64_t bytes = 0;
    for (const auto& left : row_) {
        const auto file = files.find(left.name);
        bytes += file == files.end() ? 0 : static_cast<std::uint64_t>(file->second.stamp.size);
    }
    return is_whole(files) && row_.size() >= small_row && bytes <= small_row_bytes;
}

bool FolderRow::is_due(const FolderFiles& files, FolderTime now) const {
    return (!row_.empty() && is_lost(files.files(), now)) ||
           (!left_out_.empty() && now - wrote_all_at_ >= write_short_every) ||
           (is_held_back_ && now - wrote_all_at_ >= write_all_every) ||
           (!relied_on_.empty() && now - wrote_at_ >= look_again) ||
           !std::ranges::includes(files.holding_of_others(), relied_on_);
}

// Does not write again and again, but writes at once after a start, because urgent reports have a
// place there.
bool FolderRow::may_write_alone(FolderTime now) const {
    return left_out_.empty() || now - wrote_all_at_ >= write_short_every;
}

WriteOptions FolderRow::order(const FolderFiles& files, FolderTime now) {
    WriteOptions order;
    order.offices = offices_;
    order.must_hold_some = false;
    order.must_hold_news = !row_.empty();
    order.row = WriteOptions::Row{};
    auto& row = *order.row;
    if (!is_lost(files.files(), now) && !is_long(files.files())) {
        for (const auto& left : row_) {
            row.files.push_back(left.bookmark);
        }
        row.tail = tail_;
    }
    // This holds back everything else. It is written when the time is over.
    row.is_only_addition = now - wrote_all_at_ < write_all_every;
    is_held_back_ = row.is_only_addition;
    for (const auto& name : files.holding_of_others()) {
        order.others.push_back(files.files().at(name).told.bookmark);
    }
    return order;
}

// The files are no copies that another program is making, and are for no other offices than this
// file.
std::vector<std::string> FolderRow::replaced_by(const Written& written,
                                                const FolderFiles::Files& files,
                                                FolderTime now) const {
    std::vector<std::string> replaced;
    if (written.is_addition || written.left_out > 0 || written.files.empty()) {
        return replaced;
    }
    for (const auto& [name, file] : files) {
        const bool is_fresh = now - file.changed_at < part_is_old_after;
        if (file.told.is_own && std::ranges::is_permutation(file.told.targets, offices_) &&
            (!is_part_name(name) || !is_fresh)) {
            replaced.push_back(name);
        }
    }
    return replaced;
}

void FolderRow::wrote(const Written& written, bool is_in_row, std::set<std::string> relied_on,
                      FolderTime now) {
    state_ = written.state;
    relied_on_ = std::move(relied_on);
    wrote_at_ = now;
    if (!written.is_addition) {
        wrote_all_at_ = now;
        left_out_ = is_in_row ? ""
                    : written.left_out > 0
                        ? fmt::format("no room there for {} reports", written.left_out)
                        : "what is to be left there does not fit one file";
    }
    if (written.files.empty()) {
        return;  // the file would have held no news
    }
    if (!written.is_addition) {
        row_.clear();
        broken_since_.reset();
        whole_since_.reset();
    }
    tail_ = is_in_row ? written.tail : "";
    for (const auto& path : written.files) {
        if (is_in_row) {
            row_.push_back({path.filename().string(), written.bookmark});
        }
    }
}

}  // namespace fieldpost::cli
