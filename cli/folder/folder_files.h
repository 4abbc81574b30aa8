// The files of a folder that is followed: which files to read, and when.
//
// Promise: a value, without files and without a clock. A file that could not be read is tried again
// for ever, at growing intervals. A file that changes again and again is still read, and takes a
// tenth of the time at most.
//
// The memory is bounded, whatever others put there. Files that are no bundle, or need no second
// look, are remembered by two numbers.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "cli/bundle_files.h"
#include "cli/medium.h"

namespace fieldpost::cli {

using FolderTime = std::chrono::steady_clock::time_point;

// The limits for files that wait to be read or whose content matters, and for all others that are
// remembered.
inline constexpr std::size_t folder_files_max = 10'000;
inline constexpr std::size_t folder_judged_max = 200'000;
// A file up to this size is read at once. A larger file is read in pieces, and other files have
// their turn in between.
inline constexpr std::int64_t folder_piece_bytes = 16 << 20;

class FolderFiles {
public:
    struct File {
        Stamp stamp{};
        FolderTime first_at{};        // first seen under this name
        FolderTime changed_at{};      // last seen to have changed
        FolderTime changing_since{};  // since when it has changed without being read
        bool is_changed = false;      // it has changed since it was first seen
        bool is_stable = false;       // it did not change between two looks
        bool is_read = false;
        // The time of the last reading, or of the last attempt.
        std::optional<FolderTime> read_at{};
        std::chrono::nanoseconds read_took{};
        unsigned failures = 0;
        FolderTime not_before{};
        ReadBundle told{};
        std::vector<std::string> troubles{};
        FolderTime trouble_since{};
    };
    using Files = std::map<std::string, File>;

    // --- a look
    // The names to look at each time. see() or miss() has to be called for each.
    [[nodiscard]] std::vector<std::string> names() const;
    void see(const std::string& name, const Stamp& stamp, FolderTime now);
    void miss(const std::string& name) { files_.erase(name); }
    // Every name in the folder is given to wants() between begin_list() and end_list(). True: see()
    // or miss() has to be called for it.
    void begin_list();
    bool wants(const std::string& name, FolderTime now);
    void end_list(bool is_all, FolderTime now);
    // True if the last list had names that are not looked at.
    [[nodiscard]] bool has_too_many() const { return too_many_since_.has_value(); }

    // --- reading
    // The files of one piece that are due, in the order to read them. large_due(): the large file
    // whose turn it is.
    [[nodiscard]] std::vector<std::string> due(FolderTime now) const;
    [[nodiscard]] std::optional<std::string> large_due(FolderTime now) const;
    void was_read(const std::string& name, ReadBundle told, std::vector<std::string> troubles,
                  FolderTime now, std::chrono::nanoseconds took);
    // The file will be tried again.
    void failed(const std::string& name, const Failure& why, FolderTime now);
    // read_refused_again(): refused records may be accepted now. read_others_again(): after a
    // change of the roster all files of others have to be read again.
    void read_refused_again();
    void read_others_again();

    // --- what is known
    [[nodiscard]] const Files& files() const { return files_; }
    [[nodiscard]] bool contains(const std::string& name) const { return files_.contains(name); }
    // True if a file that was there at `time` still waits for its first reading.
    [[nodiscard]] bool has_unread_since(FolderTime time) const;
    // The names of the files of others that are known to hold records.
    [[nodiscard]] std::set<std::string> holding_of_others() const;
    // A trouble that has lasted for a while.
    [[nodiscard]] std::string trouble(FolderTime now) const;
    void add_own(const std::string& name, const Stamp& stamp, ReadBundle told, FolderTime now);
    void erase(const std::string& name) { files_.erase(name); }
    // Forgets the bookmarks of our own files, because the row is known. Only the fact that they are
    // ours is kept.
    void forget_own();

private:
    struct Judged {
        std::size_t stamp = 0;
        std::uint32_t list = 0;  // the number of the last list with this name
        FolderTime at{};
    };
    [[nodiscard]] bool is_due(const File& file, FolderTime now) const;
    [[nodiscard]] FolderTime waiting_since(const File& file) const;
    void judge(const std::string& name, FolderTime now);
    bool has_room_for(const std::string& name);
    bool make_room();
    void bound_holds(File& file);

    Files files_;
    std::size_t holds_bytes_ = 0;  // an upper bound for the bytes of all files
    // By the hash of the file's name.
    std::unordered_map<std::size_t, Judged> judged_;
    std::uint32_t list_ = 0;
    FolderTime judge_again_at_{};
    std::optional<FolderTime> too_many_since_;
    bool is_too_many_ = false;  // in the current list, so far
    std::size_t made_room_ = 0;
};

}  // namespace fieldpost::cli
