#include "cli/spool/spool_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ranges>

#include "cli/spool/spool_files.h"
#include "cli/text.h"
#include "crypto/secret.h"
#include "proto/control.pb.h"
#include "proto/limits.h"
#include "proto/report.h"
#include "proto/typed.h"

namespace fieldpost::cli {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using namespace spool_files;

namespace {

// Shares send no events.
constexpr auto look_every = 5s;
constexpr std::chrono::milliseconds same_for{SpoolFolder::same_for_ms};
// So it is after this time, whatever holds it open.
constexpr auto whole_after = 60s;
constexpr auto wait_for_attachments = 1h;
constexpr auto try_again_after = 30s;
// More names are not looked at in one turn: those that were seen go first.
constexpr std::size_t names_max = 10'000;
// Then the process looks whether it is to stop.
constexpr std::size_t taken_a_turn = 20;
// A few may fail for reasons of their own. If more do, all would.
constexpr std::size_t failed_max = 3;
// JSON objects that wait for other files. Each is read again at each look.
constexpr std::size_t waiting_max = 100;
constexpr std::size_t listed_max = 200'000;
constexpr std::size_t trouble_bytes_max = 500;

bool is_plain_name(const std::string& name) {
    return !name.empty() && name.find('/') == std::string::npos && name != "." && name != ".." &&
           name.find('\0') == std::string::npos;
}

// The failure of a report that names offices and reports itself: it may be about these.
bool is_about_others(const Failure& failure) {
    return failure.exit == exit_not_found || failure.exit == exit_refused;
}

}  // namespace

bool SpoolFolder::Claim::is_json() const {
    return spool_files::is_json(name);
}

SpoolFolder::~SpoolFolder() {
    if (lock_ >= 0) {
        ::close(lock_);
    }
}

// Held until this process ends: one that is still ending must not work on the same files. A share
// that has no locks goes without.
bool SpoolFolder::lock() {
    if (lock_ >= 0) {
        return true;
    }
    lock_ = ::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lock_ >= 0 && ::flock(lock_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        ::close(std::exchange(lock_, -1));
        return false;
    }
    return true;
}

SpoolFolder::SpoolFolder(SpoolHands& hands, fs::path folder, SpoolOptions options)
    : hands_(hands), folder_(std::move(folder)), options_(std::move(options)) {}

fs::path SpoolFolder::folder_of(const Claim& claim) const {
    return folder_ / taking / claim.key;
}

fs::path SpoolFolder::main_of(const Claim& claim) const {
    return folder_of(claim) / main_folder / claim.name;
}

void SpoolFolder::note(const std::string& trouble) {
    if (!trouble.empty() && trouble_.find(trouble) == std::string::npos &&
        trouble_.size() < trouble_bytes_max) {
        trouble_ += (trouble_.empty() ? "" : "; ") + trouble;
    }
}

// The names of files that were the same at two looks, those that were written first in front.
Outcome<std::vector<std::string>> SpoolFolder::look() {
    const auto now = hands_.now();
    for (auto& [name, seen] : seen_) {
        seen.is_current = false;
    }
    std::size_t unusable = 0;
    std::string unusable_name;
    const auto listed = list_names(folder_, listed_max, [&](const std::string& name) {
        if (is_never_taken(name) || (seen_.size() >= names_max && !seen_.contains(name))) {
            return;
        }
        const auto stamp = stamp_of(folder_ / name);
        if (!stamp) {
            return;
        }
        if (!has_one_name(folder_ / name) || ::access((folder_ / name).c_str(), R_OK) != 0) {
            ++unusable;
            unusable_name = name;
            return;
        }
        auto& seen = seen_[name];
        if (seen.stamp != *stamp) {
            seen = {*stamp, now, true};
        }
        seen.is_current = true;
    });
    if (!listed) {
        return std::unexpected(listed.error());
    }
    std::erase_if(seen_, [](const auto& one) { return !one.second.is_current; });
    if (!*listed) {
        note("there are too many files: some are not looked at");
    }
    if (unusable > 0) {
        note(fmt::format("{} cannot be taken: it may not be read, or has a second name (a link){}",
                         safe_line(unusable_name),
                         unusable == 1 ? "" : fmt::format("; so are {} others", unusable - 1)));
    }
    std::vector<std::string> ready;
    for (const auto& [name, seen] : seen_) {
        if (is_ready(name)) {
            ready.push_back(name);
        }
    }
    // A JSON object says which of the other files are its own.
    std::ranges::sort(ready, {}, [&](const std::string& name) {
        return std::tuple(!is_json(name), seen_.at(name).stamp.modified_ns, name);
    });
    return ready;
}

bool SpoolFolder::is_ready(const std::string& name) const {
    const auto seen = seen_.find(name);
    if (seen == seen_.end()) {
        return false;
    }
    const auto same = hands_.now() - seen->second.since;
    return same >= whole_after || (same >= same_for && !is_being_written(folder_ / name));
}

Outcome<void> SpoolFolder::claim(const std::string& name) {
    std::array<std::byte, 16> chance{};
    crypto::fill_random(chance);
    const Claim claim{to_hex(chance), name};
    for (const auto& path : {folder_ / taking, folder_of(claim), folder_of(claim) / main_folder}) {
        if (auto made = make_folder(path, false); !made) {
            return made;
        }
    }
    is_unsynced_ = true;
    auto moved = move(folder_ / name, main_of(claim));
    if (moved) {
        stamps_[claim.key] = seen_[name].stamp;
        seen_.erase(name);
    } else {
        remove_empty(claim.key);
    }
    return moved;
}

// Never more than folders without content.
void SpoolFolder::remove_empty(const std::string& key) {
    ::rmdir((folder_ / taking / key / main_folder).c_str());
    ::rmdir((folder_ / taking / key / why_folder).c_str());
    ::rmdir((folder_ / taking / key).c_str());
}

// Those that were written first in front.
std::vector<SpoolFolder::Claim> SpoolFolder::claims() {
    std::vector<std::pair<std::int64_t, Claim>> all;
    for (const auto& key : names_in_own(folder_ / taking)) {
        const auto own = folder_ / taking / key;
        if (auto moved = move_rejected(key); !moved) {
            note(moved.error().what);
            continue;
        }
        const auto main =
            is_own_folder(own) ? names_in_own(own / main_folder) : std::vector<std::string>{};
        if (!main.empty()) {
            const Claim claim{key, main.front()};
            const auto stamp = stamp_of(main_of(claim));
            all.emplace_back(stamp ? stamp->modified_ns : 0, claim);
            continue;
        }
        // It ended while it made these folders.
        remove_empty(key);
    }
    std::ranges::sort(all, {},
                      [](const auto& one) { return std::tie(one.first, one.second.name); });
    const auto claims = all | std::views::values;
    return {claims.begin(), claims.end()};
}

Outcome<QueueOptions> SpoolFolder::read(const Claim& claim) {
    QueueOptions report;
    if (!is_valid_utf8(claim.name)) {
        return std::unexpected(Failure{exit_invalid, "invalid", "its name is not UTF-8",
                                       "give it another name, and put it there again"});
    }
    if (!claim.is_json()) {
        report.to = options_.to;
        report.attachments = {claim.name};
        report.subject = cut_text(claim.name, limits::subject_code_points_max);
        return report;
    }
    const auto content = content_of(main_of(claim), limits::report_bytes_max);
    if (!content) {
        return std::unexpected(content.error());
    }
    auto read = read_json_report(*content, {});
    if (!read) {
        return read;
    }
    const std::array<std::pair<std::string_view, bool>, 4> given = {
        {{"to", !read->to.empty()},
         {"staff", !read->staff.empty()},
         {"key", !read->key.empty()},
         {"replaces", !read->replaces.empty()}}};
    for (const auto& [key, is_given] : given) {
        if (is_given && !options_.allow.contains(std::string(key))) {
            return std::unexpected(Failure{
                exit_invalid, "invalid", fmt::format("{} may not be given in this folder", key),
                "leave it out, or let an administrator allow it in fieldpost.toml"});
        }
    }
    // A correction goes to those who have the report.
    if (read->to.empty() && read->replaces.empty()) {
        read->to = options_.to;
    }
    return read;
}

// Moves what the JSON object names beside it. False: some of it is not there yet.
Outcome<bool> SpoolFolder::has_all(const Claim& claim, const QueueOptions& report) {
    const auto refuse = [](std::string what, std::string next) {
        return std::unexpected(Failure{exit_invalid, "invalid", std::move(what), std::move(next)});
    };
    if (!claim.is_json()) {
        return true;
    }
    if (report.attachments.size() > limits::attachments_max) {
        return refuse(fmt::format("it names more than {} files", limits::attachments_max),
                      "send them in several reports");
    }
    std::set<std::string> names;
    for (const auto& name : report.attachments) {
        if (!is_plain_name(name) || is_never_taken(name) || name == claim.name ||
            name == main_folder) {
            return refuse(fmt::format("{} is no name of a file in this folder", safe_line(name)),
                          "name files that lie beside it, without a path");
        }
        if (!names.insert(name).second) {
            return refuse(fmt::format("{} is named twice", safe_line(name)), "name it once");
        }
    }
    std::string missing;
    bool is_there = false;  // one that is still being copied
    for (const auto& name : names) {
        std::error_code error;
        if (fs::exists(fs::symlink_status(folder_of(claim) / name, error))) {
            continue;
        }
        const auto there = fs::symlink_status(folder_ / name, error);
        if (fs::exists(there) && !has_one_name(folder_ / name)) {
            return refuse(fmt::format("{} is a link, or no file", safe_line(name)),
                          "put the file itself there");
        }
        is_there = is_there || fs::exists(there);
        if (!is_ready(name)) {
            awaited_.insert(name);
            missing = name;
            continue;
        }
        is_unsynced_ = true;
        if (auto moved = move(folder_ / name, folder_of(claim) / name); !moved) {
            return std::unexpected(moved.error());
        }
        seen_.erase(name);
    }
    if (missing.empty()) {
        const auto synced = sync();
        return synced ? Outcome<bool>(true) : std::unexpected(synced.error());
    }
    const auto since = waits_since_.try_emplace(claim.key, hands_.now()).first->second;
    if (hands_.now() - since >= wait_for_attachments && !is_there) {
        return refuse(fmt::format("{} did not come within an hour", safe_line(missing)),
                      "put all of it into the folder again");
    }
    return false;
}

// Nothing: some of it is not there yet.
Outcome<std::optional<std::string>> SpoolFolder::queue(const Claim& claim,
                                                       const QueueOptions& report) {
    std::optional<std::string> id;
    const auto has = has_all(claim, report);
    if (!has || !*has) {
        return has ? Outcome<std::optional<std::string>>(id) : std::unexpected(has.error());
    }
    auto request = queue_request_of(report, [&](const std::string& name) -> Outcome<Bytes> {
        const auto content = content_of(claim.is_json() ? folder_of(claim) / name : main_of(claim),
                                        limits::record_bytes_max);
        if (!content) {
            return std::unexpected(content.error());
        }
        const auto bytes = as_bytes(*content);
        return Bytes(bytes.begin(), bytes.end());
    });
    if (!request) {
        return std::unexpected(request.error());
    }
    request->mutable_queue()->set_text(report.text);
    if (report.key.empty()) {
        request->mutable_queue()->set_key("spool-" + claim.key);
    }
    auto queued = hands_.queue(*request);
    if (!queued && report.key.empty() && queued.error().code == "key_used" &&
        !queued.error().ids.empty()) {
        // It was queued before this process began, when `to` was another.
        return queued.error().ids.front();
    }
    return queued ? Outcome<std::optional<std::string>>(std::move(*queued))
                  : std::unexpected(queued.error());
}

// Fails only if the daemon is gone.
Outcome<SpoolFolder::Next> SpoolFolder::take(const Claim& claim) {
    if (const auto before = failed_.find(claim.key);
        before != failed_.end() && hands_.now() < before->second.first) {
        note(before->second.second);
        return before->second.second.empty() ? Next::waits : Next::failed;
    }
    // A file that is still written to is taken later.
    const auto stamp = stamp_of(main_of(claim));
    if (stamp && (!stamps_.contains(claim.key) || !stamp->has_content_of(stamps_.at(claim.key)))) {
        stamps_[claim.key] = *stamp;
        failed_[claim.key] = {hands_.now() + same_for, ""};
        return Next::waits;
    }
    auto failure = [&]() -> std::optional<Failure> {
        const auto report = read(claim);
        if (!report) {
            return report.error();
        }
        const auto queued = queue(claim, *report);
        if (queued) {
            const auto finished = *queued ? finish(claim, **queued) : Outcome<void>{};
            return finished ? std::nullopt : std::optional(finished.error());
        }
        const bool names_others =
            claim.is_json() &&
            (report->to != options_.to || !report->reply_to.empty() || !report->replaces.empty());
        if (queued.error().exit != exit_invalid &&
            !(names_others && is_about_others(queued.error()))) {
            return queued.error();
        }
        const auto put_aside = reject(claim, queued.error());
        return put_aside ? std::nullopt : std::optional(put_aside.error());
    }();
    if (failure && failure->exit == exit_invalid) {
        const auto put_aside = reject(claim, *failure);
        failure = put_aside ? std::nullopt : std::optional(put_aside.error());
    }
    if (!failure) {
        std::error_code error;
        return fs::exists(main_of(claim), error) ? Next::waits : Next::over;
    }
    if (failure->exit == exit_no_daemon) {
        return std::unexpected(*failure);
    }
    const bool is_changing = failure->code == changing;
    const auto words = is_changing ? ""
                                   : fmt::format("{} waits, and is tried again: {}",
                                                 safe_line(claim.name), failure->what);
    failed_[claim.key] = {hands_.now() + (is_changing ? same_for : try_again_after), words};
    note(words);
    return is_changing ? Next::waits : Next::failed;
}

void SpoolFolder::forget(const Claim& claim) {
    waits_since_.erase(claim.key);
    failed_.erase(claim.key);
    stamps_.erase(claim.key);
}

Outcome<void> SpoolFolder::sync() {
    auto synced = is_unsynced_ ? sync_folder(folder_) : Outcome<void>{};
    is_unsynced_ = is_unsynced_ && !synced;
    return synced;
}

Outcome<bool> SpoolFolder::take_claims() {
    if (auto synced = sync(); !synced) {
        // A claim that a power cut undoes would be queued again, under another key.
        note(synced.error().what);
        return false;
    }
    std::size_t over = 0;
    std::size_t failures = 0;
    waiting_ = 0;
    for (const auto& claim : claims()) {
        if (over == taken_a_turn) {
            return false;
        }
        const auto next = take(claim);
        if (!next) {
            return std::unexpected(next.error());
        }
        failures += *next == Next::failed ? 1 : 0;
        if (failures == failed_max) {
            return false;
        }
        waiting_ += *next == Next::waits && claim.is_json() ? 1 : 0;
        over += *next == Next::over ? 1 : 0;
    }
    return true;
}

// Claims what is ready of one kind. False: there is more.
bool SpoolFolder::claim_ready(const std::vector<std::string>& ready, bool is_for_json) {
    std::size_t claimed = 0;
    for (const auto& name : ready) {
        const auto seen = seen_.find(name);
        if (is_json(name) != is_for_json || awaited_.contains(name) || seen == seen_.end()) {
            continue;
        }
        if (is_for_json && waiting_ + claimed >= waiting_max) {
            note(fmt::format("{} JSON files wait for other files: no more are taken", waiting_));
            return true;
        }
        if (claimed == taken_a_turn) {
            return false;
        }
        // Much time may have passed since the look.
        if (stamp_of(folder_ / name) != seen->second.stamp) {
            continue;
        }
        if (auto moved = claim(name); !moved) {
            note(moved.error().what);
            continue;
        }
        ++claimed;
    }
    return true;
}

Outcome<SpoolTime> SpoolFolder::turn() {
    trouble_.clear();
    awaited_.clear();
    bool is_more = false;
    auto ready = look();
    if (!ready) {
        note(ready.error().what);
    } else if (!lock()) {
        note("another process looks after this folder");
    } else {
        auto taken = take_claims();
        // JSON objects first: they say which of the other files are theirs.
        for (const bool is_for_json : {true, false}) {
            if (!taken || !*taken) {
                break;
            }
            if (is_full(folder_)) {
                note("the disk is full: a file there may be cut off, so none is taken");
                break;
            }
            is_more = !claim_ready(*ready, is_for_json) || is_more;
            taken = take_claims();
        }
        if (!taken) {
            return std::unexpected(taken.error());
        }
        is_more = is_more && *taken;
        remove_old();
    }
    std::size_t left = 0;
    for (const auto& name : names_in_own(folder_ / rejected)) {
        left += name.ends_with(why_ending) ? 1 : 0;
    }
    if (left > 0) {
        note(fmt::format("{} could not be queued: see {} there",
                         left == 1 ? "1 file" : fmt::format("{} files", left), rejected));
    }
    if (told_ != trouble_) {
        if (auto told = hands_.tell(trouble_); !told) {
            return std::unexpected(told.error());
        }
        told_ = trouble_;
    }
    return is_more ? hands_.now() : hands_.now() + look_every;
}

}  // namespace fieldpost::cli
