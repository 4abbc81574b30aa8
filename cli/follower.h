// Looks after one folder: what to read, to leave, to replace and to tell, one turn after the other.
//
// Promise: an unfriendly mover cannot keep this office from leaving something: once there is
// something to be left, that happens within seconds where it is urgent, within half a minute
// otherwise, whatever comes and goes in the folder. Where it cannot, a trouble says so. Files of
// others are never touched. What the folder costs is bounded against what it brings.
// Not here: files, the daemon and the clock (FolderHands).
#pragma once

#include <functional>
#include <memory>

#include "cli/folder_files.h"
#include "cli/folder_row.h"

namespace fieldpost::cli {

struct FollowOptions {
    std::vector<std::string> offices;  // for whom; empty: for everybody
    bool is_read_only = false;         // nothing is left there
};

// The place where a folder lies.
struct FolderPlace {
    std::string mount;   // the path at which its file system is mounted
    std::string medium;  // the same as long as that is; another one after it was mounted again
    std::string folder;  // the same as long as the folder was not made anew
    // The same as long as no name there comes or goes; a share need not tell so.
    std::string names{};
    bool operator==(const FolderPlace&) const = default;
};

// A follower's eyes and hands: the folder, and the daemon behind it.
class FolderHands {
public:
    virtual ~FolderHands() = default;
    [[nodiscard]] virtual FolderTime now() const = 0;
    // Any number, for a name that nobody can tell beforehand.
    virtual std::uint16_t chance() = 0;

    // --- the folder
    // An Error: it is not there, or not what is usually mounted there.
    virtual Outcome<FolderPlace> place() = 0;
    // As list_names() of medium.h.
    virtual Outcome<bool> list(std::size_t names_max,
                               const std::function<void(const std::string&)>& see) = 0;
    // Nothing: no plain file.
    virtual std::optional<Stamp> stamp(const std::string& name) = 0;
    // True for a file that this office began and never finished.
    virtual bool is_own_part(const std::string& name) = 0;
    // As remove_file() of medium.h.
    virtual Outcome<void> remove(const std::string& name, const Stamp& stamp) = 0;

    // --- the daemon
    // Goes on where the last call for the file ended, for at most so many bytes. Nothing: there is
    // more. An Error ends the reading of this file.
    virtual Outcome<std::optional<ReadBundle>> read(const std::string& name,
                                                    std::uint64_t bytes_max) = 0;
    virtual void stop_reading(const std::string& name) = 0;
    virtual Outcome<Standing> standing(const std::string& state) = 0;
    // no place: it is not where it was, and nothing was left.
    virtual Outcome<Written> write(const WriteOptions& order, const FolderPlace& place) = 0;
    virtual Outcome<void> tell(const std::string& trouble) = 0;
    // For the log.
    virtual void say(const std::string& words) = 0;
};

class Follower {
public:
    // `hands` must outlive it.
    Follower(FolderHands& hands, FollowOptions options);

    // Does what is due. Returns when there is something to do again, or the Error that ends it: the
    // daemon has gone.
    Outcome<FolderTime> turn();

private:
    Outcome<void> find_place();
    Outcome<void> look();
    Outcome<void> read();
    Outcome<bool> take(const std::string& name, std::uint64_t bytes_max);
    Outcome<bool> has_changed();
    void remove_own_parts();
    Outcome<void> leave();
    [[nodiscard]] bool must_wait() const;
    Outcome<void> write();
    Outcome<void> left(const Written& written, const std::vector<std::string>& replaced);
    Outcome<void> tell(const std::string& trouble);
    [[nodiscard]] std::string trouble() const;

    FolderHands& hands_;
    FollowOptions options_;
    std::optional<FolderPlace> place_;
    FolderFiles files_;
    FolderRow row_;

    FolderTime look_at_{};
    FolderTime list_at_{};
    FolderTime list_changed_at_{};          // where names came or went
    std::string listed_names_;              // FolderPlace::names of that time
    std::optional<std::string> under_way_;  // the large file that is being read
    FolderTime under_way_since_{};

    std::uint32_t roster_version_ = 0;
    bool has_remembered_ = false;
    FolderTime started_at_{};
    // There is something to be left.
    std::optional<FolderTime> owed_since_;
    std::uint64_t urgent_known_ = 0;
    std::uint64_t urgent_written_ = 0;  // urgent_known_ when the last one was written
    FolderTime not_before_{};
    unsigned failures_ = 0;  // to write, in a row
    std::optional<Failure> write_failure_;
    std::optional<std::string> told_trouble_;
    FolderTime tell_not_before_{};
};

}  // namespace fieldpost::cli
