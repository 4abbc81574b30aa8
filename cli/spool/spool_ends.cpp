// How a claim ends: in done/, or in rejected/ beside its reason.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include "cli/spool/spool_files.h"
#include "cli/spool/spool_folder.h"
#include "cli/text.h"

namespace fieldpost::cli {

namespace fs = std::filesystem;
using namespace spool_files;

namespace {

constexpr auto remove_every = std::chrono::hours{1};

}  // namespace

// The report is queued, and its number is known: from here on it does not matter where this ends.
Outcome<void> SpoolFolder::finish(const Claim& claim, const std::string& id) {
    if (auto made = make_folder(folder_ / done, true); !made) {
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
    struct stat around{};
    if (::stat((folder_ / done).c_str(), &around) == 0) {
        ::chmod(place.c_str(), around.st_mode & 07777U);
    }
    return {};
}

Outcome<void> SpoolFolder::reject(const Claim& claim, const Failure& why) {
    const auto whys = folder_of(claim) / why_folder;
    for (const auto& [path, is_for_people] :
         {std::pair(folder_ / rejected, true), std::pair(whys, false)}) {
        if (auto made = make_folder(path, is_for_people); !made) {
            return made;
        }
    }
    auto words =
        OutputFile::create((whys / free_name(folder_ / rejected, claim.name).filename()).string());
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
    if (auto moved = move_rejected(claim.key); !moved) {
        return moved;
    }
    hands_.say(fmt::format("{} is rejected: {}", claim.name, why.what));
    forget(claim);
    return {};
}

// The reason is written first, under the name that the file gets, and moved last: a claim that has
// one is rejected, wherever this ended.
Outcome<void> SpoolFolder::move_rejected(const std::string& key) {
    const auto from = folder_ / taking / key;
    const auto to = folder_ / rejected;
    auto whys = names_in_own(from / why_folder);
    std::erase_if(whys, is_never_taken);  // one that was being written
    if (whys.empty()) {
        return {};
    }
    auto why = whys.front();
    for (const auto& name : names_in_own(from)) {
        if (name == main_folder || name == why_folder) {
            continue;
        }
        if (auto moved = move(from / name, free_name(to, name)); !moved) {
            return moved;
        }
    }
    if (const auto main = names_in_own(from / main_folder); !main.empty()) {
        // Another file may have come there meanwhile.
        const auto place = free_name(to, why);
        if (auto moved = move(from / why_folder / why, from / why_folder / place.filename());
            !moved) {
            return moved;
        }
        why = place.filename();
        if (auto moved = move(from / main_folder / main.front(), place); !moved) {
            return moved;
        }
    }
    if (auto moved = move(from / why_folder / why, to / (why + std::string(why_ending))); !moved) {
        return moved;
    }
    std::error_code ignored;
    fs::remove_all(from / why_folder, ignored);
    return {};
}

void SpoolFolder::remove_old() {
    if (removed_at_ && hands_.now() < *removed_at_ + remove_every) {
        return;
    }
    removed_at_ = hands_.now();
    for (const auto& id : names_in_own(folder_ / done)) {
        struct stat about{};
        const auto path = folder_ / done / id;
        // Nothing but what finish() has put there.
        if (is_named_as_done(id) && is_own_folder(path) && ::lstat(path.c_str(), &about) == 0 &&
            about.st_mtim.tv_sec + options_.keep.count() < hands_.unix_now()) {
            std::error_code ignored;
            fs::remove_all(path, ignored);
        }
    }
}

}  // namespace fieldpost::cli
