#include "cli/spool/spool_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ranges>

#include "cli/text.h"
#include "crypto/secret.h"
#include "proto/control.pb.h"
#include "proto/limits.h"
#include "proto/report.h"
#include "proto/size_text.h"
#include "proto/typed.h"

namespace fieldpost::cli {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

namespace {

// Shares send no events.
constexpr auto look_every = 5s;
constexpr std::chrono::milliseconds same_for{SpoolFolder::same_for_ms};
// So it is after this time, whatever holds it open.
constexpr auto whole_after = 60s;
constexpr auto wait_for_attachments = 1h;
constexpr auto try_again_after = 30s;
constexpr auto remove_every = 1h;
// More names are not looked at in one turn: those that were seen go first.
constexpr std::size_t names_max = 10'000;
// Then the process looks whether it is to stop.
constexpr std::size_t taken_a_turn = 20;
// On a fuller disk a file may be cut off: its writer could not go on.
constexpr std::uint64_t room_min = std::uint64_t{64} << 10;

// The code of a failure that ends by itself.
constexpr auto changing = "changing";

constexpr auto taking = ".taking";
constexpr auto main_folder = "main";
constexpr auto done = "done";
constexpr auto rejected = "rejected";
constexpr std::string_view why_ending = ".why";
// So that a number and this ending may follow. A name has 255 bytes.
constexpr std::size_t name_bytes_max = 240;

std::string lower(std::string_view name) {
    std::string all(name);
    std::ranges::transform(all, all.begin(), [](unsigned char c) {
        return static_cast<char>(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
    });
    return all;
}

// Files in which programs keep what is not whole, or what is for themselves.
bool is_never_taken(const std::string& name) {
    const auto folded = lower(name);
    return folded.starts_with('.') || folded.starts_with("~$") || folded.ends_with(".tmp") ||
           folded.ends_with(".part") || folded.ends_with(".crdownload") || folded == "thumbs.db" ||
           folded == "desktop.ini";
}

// True if a file that is no link bears no second name: a hard link may lead to a file elsewhere.
bool has_one_name(const fs::path& path) {
    struct stat about{};
    return ::lstat(path.c_str(), &about) == 0 && S_ISREG(about.st_mode) && about.st_nlink == 1;
}

// A program on this machine still writes to the file, as far as the kernel tells: such a file can
// have no lease. That is not known of another user's file, and some shares never give one.
bool is_being_written(const fs::path& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        return false;
    }
    const bool is_busy = ::fcntl(fd, F_SETLEASE, F_RDLCK) != 0 && errno == EAGAIN;
    ::close(fd);
    return is_busy;
}

Outcome<std::string> content_of(const fs::path& path, std::uint64_t bytes_max) {
    auto file = InputFile::open(path);
    if (!file) {
        return std::unexpected(file.error());
    }
    if (file->size() > bytes_max) {
        return std::unexpected(
            Failure{exit_invalid, "invalid",
                    fmt::format("{} is larger than {}", safe_line(path.filename().string()),
                                exact_size(bytes_max)),
                    "send a smaller one"});
    }
    auto content = file->read(file->size() + 1);
    if (file->failure()) {
        return std::unexpected(*file->failure());
    }
    if (stamp_of(path) != file->stamp() || content.size() != file->size()) {
        return std::unexpected(
            Failure{exit_timed_out, changing,
                    fmt::format("{} changes", safe_line(path.filename().string())), "wait"});
    }
    return content;
}

std::unexpected<Failure> failed(const fs::path& path, const std::string& what, int why) {
    return std::unexpected(
        Failure{why == ENOSPC || why == EDQUOT ? exit_no_space : exit_failed, "folder",
                fmt::format("{} {}: {}", safe_line(path.string()), what, std::strerror(why)),
                "see to the folder"});
}

Outcome<void> make_folder(const fs::path& path) {
    return ::mkdir(path.c_str(), 0770) == 0 || errno == EEXIST
               ? Outcome<void>{}
               : failed(path, "could not be made", errno);
}

Outcome<void> move(const fs::path& from, const fs::path& to) {
    return ::rename(from.c_str(), to.c_str()) == 0 ? Outcome<void>{}
                                                   : failed(from, "could not be moved", errno);
}

// "scan.pdf", "scan (2).pdf", ...: a name that nothing in the folder has.
fs::path free_name(const fs::path& folder, const std::string& name) {
    const fs::path wanted(cut_text(name, name_bytes_max));
    auto path = folder / wanted;
    const auto is_free = [](const fs::path& candidate) {
        std::error_code error;
        return !fs::exists(fs::symlink_status(candidate, error));
    };
    for (int i = 2; !is_free(path) || !is_free(path.string() + std::string(why_ending)); ++i) {
        path = folder /
               fmt::format("{} ({}){}", wanted.stem().string(), i, wanted.extension().string());
    }
    return path;
}

std::vector<std::string> names_in(const fs::path& folder) {
    std::vector<std::string> names;
    std::error_code error;
    for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
        names.push_back(at->path().filename().string());
    }
    std::ranges::sort(names);
    return names;
}

bool is_plain_name(const std::string& name) {
    return !name.empty() && name.find('/') == std::string::npos && name != "." && name != ".." &&
           name.find('\0') == std::string::npos;
}

bool is_json(const std::string& name) {
    return lower(name).ends_with(".json");
}

// The failure of a report that names offices and reports itself: it may be about these.
bool is_about_others(const Failure& failure) {
    return failure.exit == exit_not_found || failure.exit == exit_refused;
}

}  // namespace

bool SpoolFolder::Claim::is_json() const {
    return cli::is_json(name);
}

SpoolFolder::SpoolFolder(SpoolHands& hands, fs::path folder, SpoolOptions options)
    : hands_(hands), folder_(std::move(folder)), options_(std::move(options)) {}

fs::path SpoolFolder::folder_of(const Claim& claim) const {
    return folder_ / taking / claim.key;
}

fs::path SpoolFolder::main_of(const Claim& claim) const {
    return folder_of(claim) / main_folder / claim.name;
}

void SpoolFolder::note(std::string trouble) {
    if (trouble_.empty()) {
        trouble_ = std::move(trouble);
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
    const auto listed = list_names(folder_, 2 * names_max, [&](const std::string& name) {
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
        if (auto made = make_folder(path); !made) {
            return made;
        }
    }
    seen_.erase(name);
    return move(folder_ / name, main_of(claim));
}

// Those that were written first in front.
std::vector<SpoolFolder::Claim> SpoolFolder::claims() {
    std::vector<std::pair<std::int64_t, Claim>> all;
    for (const auto& key : names_in(folder_ / taking)) {
        const auto own = folder_ / taking / key;
        const auto main = names_in(own / main_folder);
        if (!main.empty()) {
            const Claim claim{key, main.front()};
            const auto stamp = stamp_of(main_of(claim));
            all.emplace_back(stamp ? stamp->modified_ns : 0, claim);
            continue;
        }
        // It ended while it made these folders.
        std::error_code ignored;
        fs::remove(own / main_folder, ignored);
        fs::remove(own, ignored);
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
    if (read->to.empty()) {
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
    std::set<std::string> names;
    for (const auto& name : report.attachments) {
        if (!is_plain_name(name) || name == claim.name || name == main_folder) {
            return refuse(fmt::format("{} is no name of a file in this folder", safe_line(name)),
                          "name files that lie beside it, without a path");
        }
        if (!names.insert(name).second) {
            return refuse(fmt::format("{} is named twice", safe_line(name)), "name it once");
        }
    }
    std::string missing;
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
        if (!is_ready(name)) {
            awaited_.insert(name);
            missing = name;
            continue;
        }
        seen_.erase(name);
        if (auto moved = move(folder_ / name, folder_of(claim) / name); !moved) {
            return std::unexpected(moved.error());
        }
    }
    if (missing.empty()) {
        return true;
    }
    const auto since = waits_since_.try_emplace(claim.key, hands_.now()).first->second;
    if (hands_.now() - since >= wait_for_attachments) {
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
        const auto rejected = reject(claim, queued.error());
        return rejected ? std::nullopt : std::optional(rejected.error());
    }();
    if (failure && failure->exit == exit_invalid) {
        const auto rejected = reject(claim, *failure);
        failure = rejected ? std::nullopt : std::optional(rejected.error());
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
                                   : fmt::format("{} waits: {}; {}", safe_line(claim.name),
                                                 failure->what, failure->next);
    failed_[claim.key] = {hands_.now() + (is_changing ? same_for : try_again_after), words};
    note(words);
    return is_changing ? Next::waits : Next::failed;
}

void SpoolFolder::forget(const Claim& claim) {
    waits_since_.erase(claim.key);
    failed_.erase(claim.key);
}

// The report is queued, and its number is known: from here on it does not matter where this ends.
Outcome<void> SpoolFolder::finish(const Claim& claim, const std::string& id) {
    if (auto made = make_folder(folder_ / done); !made) {
        return made;
    }
    const auto place = free_name(folder_ / done, id);
    if (auto moved = move(folder_of(claim), place); !moved) {
        return moved;
    }
    hands_.say(fmt::format("{} is {}", claim.name, id));
    forget(claim);
    (void)move(place / main_folder / claim.name, place / claim.name);
    std::error_code ignored;
    fs::remove(place / main_folder, ignored);
    // Its age counts from now.
    const std::array<timespec, 2> now = {{{hands_.unix_now(), 0}, {hands_.unix_now(), 0}}};
    ::utimensat(AT_FDCWD, place.c_str(), now.data(), 0);
    return {};
}

Outcome<void> SpoolFolder::reject(const Claim& claim, const Failure& why) {
    const auto to = folder_ / rejected;
    if (auto made = make_folder(to); !made) {
        return made;
    }
    const auto place = free_name(to, claim.name);
    auto words = OutputFile::create(place.string() + std::string(why_ending));
    if (!words) {
        return std::unexpected(words.error());
    }
    auto written = words->write(fmt::format("{} was not queued: {}.\nWhat to do: {}.\n",
                                            safe_line(claim.name), why.what, why.next));
    written = written ? words->close() : written;
    written = written ? words->finish() : written;
    if (!written) {
        return written;
    }
    for (const auto& name : names_in(folder_of(claim))) {
        if (name != main_folder) {
            if (auto moved = move(folder_of(claim) / name, free_name(to, name)); !moved) {
                return moved;
            }
        }
    }
    if (auto moved = move(main_of(claim), place); !moved) {
        return moved;
    }
    hands_.say(fmt::format("{} is rejected: {}", claim.name, why.what));
    forget(claim);
    return {};
}

void SpoolFolder::remove_old() {
    if (removed_at_ && hands_.now() < *removed_at_ + remove_every) {
        return;
    }
    removed_at_ = hands_.now();
    for (const auto& id : names_in(folder_ / done)) {
        struct stat about{};
        const auto path = folder_ / done / id;
        if (::lstat(path.c_str(), &about) == 0 &&
            about.st_mtim.tv_sec + options_.keep.count() < hands_.unix_now()) {
            std::error_code ignored;
            fs::remove_all(path, ignored);
        }
    }
}

Outcome<bool> SpoolFolder::take_claims() {
    std::size_t over = 0;
    for (const auto& claim : claims()) {
        if (over == taken_a_turn) {
            return false;
        }
        const auto next = take(claim);
        if (!next) {
            return std::unexpected(next.error());
        }
        if (*next == Next::failed) {
            // The others would fail too.
            return false;
        }
        over += *next == Next::over ? 1 : 0;
    }
    return true;
}

Outcome<bool> SpoolFolder::claim_ready(const std::vector<std::string>& ready) {
    std::size_t claimed = 0;
    bool is_all = true;
    for (const auto& name : ready) {
        // A JSON object that was just claimed may name the files that come behind.
        const bool is_of_another = is_json(name) != is_json(ready.front());
        if (claimed == taken_a_turn || (is_of_another && claimed > 0)) {
            is_all = false;
            break;
        }
        if (!awaited_.contains(name) && seen_.contains(name)) {
            if (auto moved = claim(name); !moved) {
                return std::unexpected(moved.error());
            }
            ++claimed;
        }
    }
    // A claim that a power cut undoes would be queued again, under another key.
    const auto synced = claimed > 0 ? sync_folder(folder_) : Outcome<void>{};
    return synced ? Outcome<bool>(is_all) : std::unexpected(synced.error());
}

Outcome<SpoolTime> SpoolFolder::turn() {
    trouble_.clear();
    awaited_.clear();
    bool is_more = false;
    if (auto ready = look(); !ready) {
        note(ready.error().what);
    } else {
        auto taken = take_claims();
        if (taken && *taken && free_bytes(folder_) < room_min) {
            note("the disk is full: a file there may be cut off, so none is taken");
        } else if (taken && *taken) {
            const auto claimed = claim_ready(*ready);
            if (!claimed) {
                note(claimed.error().what);
            }
            taken = take_claims();
            is_more = claimed && taken && (!*claimed || !*taken);
        }
        if (!taken) {
            return std::unexpected(taken.error());
        }
        remove_old();
    }
    std::size_t left = 0;
    for (const auto& name : names_in(folder_ / rejected)) {
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
    return is_more && trouble_.empty() ? hands_.now() : hands_.now() + look_every;
}

}  // namespace fieldpost::cli
