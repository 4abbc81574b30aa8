// Looks after one folder: reads, leaves, replaces and tells what is due, one turn after the other.
//
// Promise: an unfriendly mover cannot keep this office from leaving a file, whatever comes and goes
// in the folder. Once there is something to leave, it is left within seconds if it is urgent, and
// within half a minute otherwise. If that is not possible, a trouble says so.
//
// Files of others are never touched. The cost of the folder is bounded by what it brings.
//
// Not here: when another file is due, and when everything is left again (folder_row.h); which files
// to read, and when (folder_files.h); files, the daemon and the clock (FolderHands).
#pragma once

#include <functional>
#include <memory>

#include "cli/folder/folder_files.h"
#include "cli/folder/folder_row.h"

namespace fieldpost::cli {

struct FollowOptions {
    std::vector<std::string> offices;  // the readers; empty: everybody
    bool is_read_only = false;         // true: no file is left there
};

// The place of a folder.
struct FolderPlace {
    std::string mount;   // the path at which its file system is mounted
    std::string medium;  // changes only if another medium is mounted, or if it is mounted again
    std::string folder;  // changes only if the folder is made again
    // Changes if a name there comes or goes. A share need not tell that.
    std::string names{};
    bool operator==(const FolderPlace&) const = default;
};

// Everything that a Follower works with: the folder, the daemon, the clock and the log.
class FolderHands {
public:
    virtual ~FolderHands() = default;
    [[nodiscard]] virtual FolderTime now() const = 0;

    // --- the folder
    // An Error: the folder is not there, or the medium that is usually mounted there is not.
    virtual Outcome<FolderPlace> place() = 0;
    // As list_names() of medium.h.
    virtual Outcome<bool> list(std::size_t names_max,
                               const std::function<void(const std::string&)>& see) = 0;
    // Nothing: there is no plain file.
    virtual std::optional<Stamp> stamp(const std::string& name) = 0;
    // True for a file that this office began and never finished.
    virtual bool is_own_part(const std::string& name) = 0;
    // As remove_file() of medium.h.
    virtual Outcome<void> remove(const std::string& name, const Stamp& stamp) = 0;

    // --- the daemon
    // Continues where the last call for the file ended, for at most `bytes_max` bytes. Nothing:
    // there is more to read. An Error ends the reading of this file.
    virtual Outcome<std::optional<ReadBundle>> read(const std::string& name,
                                                    std::uint64_t bytes_max) = 0;
    virtual void stop_reading(const std::string& name) = 0;
    virtual Outcome<Standing> standing(const std::string& state) = 0;
    // As row_among() of bundle_files.h.
    virtual Outcome<std::vector<std::size_t>> row_among(const std::vector<RowCandidate>& files) = 0;
    // An Error also if `place` is no longer the folder's place. Then nothing was left.
    virtual Outcome<Written> write(const WriteOptions& order, const FolderPlace& place) = 0;
    virtual Outcome<void> tell(const std::string& trouble) = 0;
    // Writes to the log.
    virtual void say(const std::string& words) = 0;
};

class Follower {
public:
    // `hands` must outlive it.
    Follower(FolderHands& hands, FollowOptions options);

    // Does everything that is due. Returns the time of the next turn, or the Error that ends the
    // follower: the daemon has gone.
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
    FolderTime list_changed_at_{};          // in place of list_at_, if names came or went
    std::string listed_names_;              // FolderPlace::names at the last list
    std::optional<std::string> under_way_;  // the large file that is being read
    FolderTime under_way_since_{};

    std::uint32_t roster_version_ = 0;
    bool has_remembered_ = false;
    FolderTime started_at_{};
    // Since when there is something to leave.
    std::optional<FolderTime> owed_since_;
    std::uint64_t urgent_known_ = 0;
    std::uint64_t urgent_written_ = 0;  // urgent_known_ when the last file was written
    FolderTime not_before_{};
    unsigned failures_ = 0;  // failed writes in a row
    std::optional<Failure> write_failure_;
    std::optional<std::string> told_trouble_;
    FolderTime tell_not_before_{};
};

}  // namespace fieldpost::cli
