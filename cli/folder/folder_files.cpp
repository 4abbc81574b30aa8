#include "cli/folder/folder_files.h"

#include <fmt/format.h>

#include <algorithm>

namespace fieldpost::cli {

namespace {

using namespace std::chrono_literals;

// A file that has changed since it was first seen is being copied. It is read after this time
// without a change.
constexpr auto copied_after = 20s;
// A file that never stops changing is read all the same.
constexpr auto read_anyway_after = 30s;
// Reading one file again and again takes at most this fraction of the time.
constexpr int rest_of_reading = 10;
constexpr std::chrono::nanoseconds rest_max = 10min;
// A record that was refused may be accepted later, for example if there is room then.
constexpr auto refused_again = 1h;
constexpr auto failed_again_max = 60s;
// A file that is still not whole after this time was not just being copied.
constexpr auto damaged_after = 30s;
// Many files that came at once are looked at in turns, so this time passes before it is a trouble.
constexpr auto too_many_after = 10min;
// A share may tell wrong times. So a file that is no bundle is read again, one of all these files
// at a time.
constexpr auto judged_again = 1h;
constexpr auto judged_again_each = 10s;
// The number of files remembered by two numbers that are looked at each time.
constexpr std::size_t judged_looked_at = 1000;
// A table that is full frees this many places for new files each time. It also looks at this many
// unknown names each time.
constexpr std::size_t room_made_when_full = 10;
constexpr std::size_t room_made_max = 1000;
// Reading a smaller file costs next to nothing.
constexpr std::int64_t dear_bytes = 1 << 20;
// Places that are kept for names of the form that offices write.
constexpr std::size_t for_names_of_ours = 1000;
// The limit for what the files there hold and say, in bytes.
constexpr std::size_t holds_bytes_max = 32U << 20;
// Files of others that hold more than this are not relied on. This office leaves its own copy.
constexpr std::size_t of_others_bytes_max = 8U << 20;

bool is_part(const std::string& name) {
    return name.ends_with(".part");
}

// True for names of the form that new_name() makes.
bool is_named_as_ours(const std::string& name) {
    constexpr std::size_t digits = 8;
    return name.size() == digits + 4 && name.ends_with(".bin") &&
           name.find_first_not_of("0123456789abcdef") == digits;
}

std::size_t hash_of(const std::string& name) {
    return std::hash<std::string>{}(name);
}

std::size_t hash_of(const Stamp& stamp) {
    return hash_of(fmt::format("{} {} {} {} {}", stamp.size, stamp.modified_ns, stamp.changed_ns,
                               stamp.device, stamp.inode));
}

std::size_t bytes_of(const ReadBundle& told) {
    return told.bookmark.size() + told.tail.size();
}

std::chrono::nanoseconds rest_after(const FolderFiles::File& file) {
    return std::min(rest_max, rest_of_reading * file.read_took);
}

}  // namespace

// --- a look

std::vector<std::string> FolderFiles::names() const {
    std::vector<std::string> names;
    for (const auto& [name, file] : files_) {
        names.push_back(name);
    }
    return names;
}

void FolderFiles::see(const std::string& name, const Stamp& stamp, FolderTime now) {
    const auto found = files_.find(name);
    if (found == files_.end()) {
        const auto judged = judged_.find(hash_of(name));
        const bool was_judged = judged != judged_.end();
        if (was_judged && judged->second.stamp == hash_of(stamp) &&
            now - judged->second.at < judged_again) {
            return;
        }
        File file{.stamp = stamp, .first_at = now, .changed_at = now, .changing_since = now};
        file.is_changed = was_judged && judged->second.stamp != hash_of(stamp);
        // A file that was read a moment ago under another name is as expensive to read as before.
        for (const auto& [other, known] : files_) {
            if (stamp.size <= dear_bytes) {
                break;
            }
            if (known.read_at && known.stamp.has_content_of(stamp)) {
                file.read_at = known.read_at;
                file.read_took = known.read_took;
                break;
            }
        }
        if (was_judged) {
            judged_.erase(judged);
        }
        files_.emplace(name, std::move(file));
        return;
    }
    auto& file = found->second;
    if (file.stamp == stamp) {
        file.is_stable = true;
        return;
    }
    // A file that was read has to be read once more. Its old content counts for nothing.
    File anew{.stamp = stamp, .first_at = file.first_at, .changed_at = now};
    anew.changing_since = file.is_read ? now : file.changing_since;
    anew.is_changed = true;
    anew.read_at = file.read_at;
    anew.read_took = file.read_took;
    if (file.failures > 0) {
        anew.failures = file.failures;
        anew.not_before = file.not_before;
        anew.troubles = std::move(file.troubles);
        anew.trouble_since = file.trouble_since;
    }
    file = std::move(anew);
}

void FolderFiles::begin_list() {
    ++list_;
    is_too_many_ = false;
    made_room_ = 0;
}

bool FolderFiles::wants(const std::string& name, FolderTime now) {
    if (files_.contains(name)) {
        return false;
    }
    const auto hash = hash_of(name);
    if (const auto judged = judged_.find(hash); judged != judged_.end()) {
        judged->second.list = list_;
        if (now - judged->second.at >= judged_again) {
            return now >= std::exchange(judge_again_at_,
                                        std::max(judge_again_at_, now) + judged_again_each);
        }
        const auto turns = judged_.size() / judged_looked_at + 1;
        return hash % turns == list_ % turns;
    }
    const bool has_room = has_room_for(name);
    is_too_many_ = is_too_many_ || !has_room;
    return has_room;
}

bool FolderFiles::has_room_for(const std::string& name) {
    const bool is_ours = is_named_as_ours(name);
    if (judged_.size() >= folder_judged_max && (!is_ours || made_room_ >= room_made_when_full)) {
        return false;
    }
    if (judged_.size() >= folder_judged_max) {
        ++made_room_;
    }
    return files_.size() + (is_ours ? 0 : for_names_of_ours) < folder_files_max || make_room();
}

void FolderFiles::end_list(bool is_all, FolderTime now) {
    const bool has_too_many = is_too_many_ || !is_all;
    too_many_since_ = has_too_many ? std::optional(too_many_since_.value_or(now)) : std::nullopt;
    if (is_all) {
        std::erase_if(judged_, [&](const auto& entry) { return entry.second.list != list_; });
    }
}

// --- reading

// The time from which the file could have been read, but for our own order.
FolderTime FolderFiles::waiting_since(const File& file) const {
    return std::max(file.changing_since, file.not_before);
}

bool FolderFiles::is_due(const File& file, FolderTime now) const {
    if (now < file.not_before || (file.read_at && now - *file.read_at < rest_after(file))) {
        return false;
    }
    if (file.is_read) {
        return file.told.has_refused() && now - *file.read_at >= refused_again;
    }
    // A failure is tried again, whatever times the file has.
    return file.failures > 0 || now - file.changing_since >= read_anyway_after ||
           (file.is_stable && (!file.is_changed || now - file.changed_at >= copied_after));
}

std::vector<std::string> FolderFiles::due(FolderTime now) const {
    std::vector<std::pair<const std::string*, const File*>> waiting;
    for (const auto& [name, file] : files_) {
        if (file.stamp.size <= folder_piece_bytes && is_due(file, now)) {
            waiting.emplace_back(&name, &file);
        }
    }
    // Files that came first are read first, so that a stream of new files delays no older file.
    // Among files that came together, bundles come first, and small files before larger ones.
    std::ranges::sort(waiting, {}, [&](const auto& entry) {
        const auto& [name, file] = entry;
        return std::tuple(waiting_since(*file), !is_named_as_ours(*name), file->stamp.size, *name);
    });
    std::vector<std::string> names;
    names.reserve(waiting.size());
    for (const auto& [name, file] : waiting) {
        names.push_back(*name);
    }
    return names;
}

std::optional<std::string> FolderFiles::large_due(FolderTime now) const {
    const std::pair<const std::string, File>* first = nullptr;
    for (const auto& entry : files_) {
        const auto& file = entry.second;
        if (file.stamp.size > folder_piece_bytes && is_due(file, now) &&
            (first == nullptr || waiting_since(file) < waiting_since(first->second))) {
            first = &entry;
        }
    }
    return first == nullptr ? std::nullopt : std::optional(first->first);
}

// Keeps what bundles in the folder hold, as long as that is not too much.
void FolderFiles::bound_holds(File& file) {
    if (holds_bytes_ + bytes_of(file.told) > holds_bytes_max) {
        holds_bytes_ = 0;
        for (const auto& [name, other] : files_) {
            holds_bytes_ += bytes_of(other.told);
        }
        holds_bytes_ -= bytes_of(file.told);
    }
    if (holds_bytes_ + bytes_of(file.told) > holds_bytes_max) {
        file.told.bookmark.clear();
        file.told.tail.clear();
    }
    holds_bytes_ += bytes_of(file.told);
}

void FolderFiles::was_read(const std::string& name, ReadBundle told,
                           std::vector<std::string> troubles, FolderTime now,
                           std::chrono::nanoseconds took) {
    const auto found = files_.find(name);
    if (found == files_.end()) {
        return;
    }
    auto& file = found->second;
    if (file.troubles.empty()) {
        file.trouble_since = now;
    }
    // A file that is still being written, or was never finished, may be one of ours.
    const bool is_nothing = !told.is_bundle && troubles.empty() && !is_part(name);
    file.is_read = true;
    file.changing_since = now;
    file.failures = 0;
    file.not_before = {};
    file.read_at = now;
    file.read_took = took;
    file.troubles = std::move(troubles);
    file.told = std::move(told);
    bound_holds(file);
    if (is_nothing) {
        judge(name, now);
    }
}

void FolderFiles::failed(const std::string& name, const Failure& why, FolderTime now) {
    const auto found = files_.find(name);
    if (found == files_.end()) {
        return;
    }
    auto& file = found->second;
    if (file.troubles.empty()) {
        file.trouble_since = now;
    }
    file.troubles = {why.what};
    file.told = {};
    file.is_read = false;
    file.changing_since = now;
    constexpr unsigned doublings_max = 6;
    if (why.code == "invalid") {
        file.failures = doublings_max;  // no plain file; this is no accident that passes soon
    }
    const auto wait = std::chrono::seconds{1U << std::min(file.failures, doublings_max)};
    file.not_before = now + std::min<std::chrono::seconds>(wait, failed_again_max);
    ++file.failures;
    file.read_at = now;
    file.read_took = {};
}

void FolderFiles::read_refused_again() {
    for (auto& [name, file] : files_) {
        file.is_read = file.is_read && !file.told.has_refused();
    }
}

void FolderFiles::read_others_again() {
    for (auto& [name, file] : files_) {
        // No office reads files of an office that is no longer a member.
        file.is_read = file.is_read && (file.told.is_own || file.told.bookmark.empty());
    }
}

// Remembers the file by two numbers from now on.
void FolderFiles::judge(const std::string& name, FolderTime now) {
    const auto found = files_.find(name);
    if (judged_.size() < folder_judged_max) {
        judged_[hash_of(name)] = {hash_of(found->second.stamp), list_, now};
    }
    files_.erase(found);
}

// The bundle of others that was read longest ago gives its place to a file that was never read.
bool FolderFiles::make_room() {
    if (made_room_ >= room_made_max) {
        return false;
    }
    auto oldest = files_.end();
    for (auto at = files_.begin(); at != files_.end(); ++at) {
        const auto& file = at->second;
        if (file.is_read && !file.told.is_own &&
            (oldest == files_.end() || *file.read_at < *oldest->second.read_at)) {
            oldest = at;
        }
    }
    if (oldest == files_.end()) {
        made_room_ = room_made_max;
        return false;
    }
    ++made_room_;
    judge(std::string(oldest->first), *oldest->second.read_at);
    return true;
}

// --- what is known

bool FolderFiles::has_unread_since(FolderTime time) const {
    return std::ranges::any_of(files_, [&](const auto& entry) {
        const auto& file = entry.second;
        return !file.is_read && !file.is_changed && file.failures == 0 && file.first_at <= time;
    });
}

std::set<std::string> FolderFiles::holding_of_others() const {
    std::set<std::string> others;
    std::size_t bytes = 0;
    for (const auto& [name, file] : files_) {
        const auto& bookmark = file.told.bookmark;
        // Programs that move files do not move on a file that is not whole yet.
        if (!file.told.is_own && !bookmark.empty() && !is_part(name) &&
            bytes + bookmark.size() <= of_others_bytes_max) {
            bytes += bookmark.size();
            others.insert(name);
        }
    }
    return others;
}

std::string FolderFiles::trouble(FolderTime now) const {
    for (const auto& [name, file] : files_) {
        if (!file.troubles.empty() && now - file.trouble_since >= damaged_after) {
            return fmt::format("{}: {}", name, file.troubles.front());
        }
    }
    const bool is_told = too_many_since_ && now - *too_many_since_ >= too_many_after;
    return is_told ? fmt::format("more files than the {} that are looked at",
                                 folder_files_max + folder_judged_max)
                   : "";
}

void FolderFiles::add_own(const std::string& name, const Stamp& stamp, ReadBundle told,
                          FolderTime now) {
    File file{.stamp = stamp, .first_at = now, .changed_at = now, .changing_since = now};
    file.is_read = true;
    file.read_at = now;
    file.told = std::move(told);
    files_.insert_or_assign(name, std::move(file));
}

void FolderFiles::forget_own() {
    for (auto& [name, file] : files_) {
        if (file.told.is_own) {
            file.told.bookmark.clear();
            file.told.tail.clear();
        }
    }
}

}  // namespace fieldpost::cli
