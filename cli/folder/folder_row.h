// The row of files that this office left in a folder that is followed, and the time for another
// file.
//
// Promise: a value, without files and without a clock. Nothing that others do in the folder can
// restart a wait here.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cli/folder/folder_files.h"

namespace fieldpost::cli {

class FolderRow {
public:
    // `offices` must be sorted, each once. Empty: everybody.
    explicit FolderRow(std::vector<std::string> offices) : offices_(std::move(offices)) {}

    // To be called after a start, once our files there were read. `candidates` are those that may
    // be a row of an earlier run, and `row` is their row, as the daemon told it. Files of an
    // earlier run are then not left again, if their row is whole.
    [[nodiscard]] std::vector<RowCandidate> candidates(const FolderFiles::Files& files) const;
    void remember(const std::vector<RowCandidate>& candidates, const std::vector<std::size_t>& row);
    // To be called at each look.
    void note(const FolderFiles::Files& files, FolderTime now);
    // True if a file is due although nothing has changed in this office.
    [[nodiscard]] bool is_due(const FolderFiles& files, FolderTime now) const;
    // False while it is too soon after a time at which not everything could be left. Nothing may be
    // left outside the row then.
    [[nodiscard]] bool may_write_alone(FolderTime now) const;

    // The order for the next file.
    [[nodiscard]] WriteOptions order(const FolderFiles& files, FolderTime now);
    // Changes the order so that everything is written in files outside the row, because it does not
    // fit one file.
    static void order_alone(WriteOptions& order) { order.row.reset(); }
    void wrote(const Written& written, bool is_in_row, std::set<std::string> relied_on,
               FolderTime now);
    // Our files that the last bundle replaces. To be called before wrote().
    [[nodiscard]] std::vector<std::string> replaced_by(const Written& written,
                                                       const FolderFiles::Files& files,
                                                       FolderTime now) const;

    // The state of this office when the last bundle was written, also if it held no news and no
    // file was left.
    [[nodiscard]] const std::string& state() const { return state_; }
    [[nodiscard]] const std::string& left_out() const { return left_out_; }
    [[nodiscard]] std::vector<std::string> names() const;

private:
    [[nodiscard]] bool is_whole(const FolderFiles::Files& files) const;
    [[nodiscard]] bool is_gone(const FolderFiles::Files& files) const;
    [[nodiscard]] bool is_lost(const FolderFiles::Files& files, FolderTime now) const;
    [[nodiscard]] bool is_long(const FolderFiles::Files& files) const;

    std::vector<std::string> offices_;
    // The newest file there that holds everything, and the files that were put beside it since, in
    // order. Older files may be there too, because a person who copies both ways brings back
    // removed files.
    struct Left {
        std::string name;
        std::string bookmark;
    };
    std::vector<Left> row_;
    std::string tail_;  // of the last of them
    std::string state_;
    // Files of others that this office relied on: it did not leave what they hold.
    std::set<std::string> relied_on_;
    bool is_held_back_ = false;
    FolderTime wrote_at_{};
    FolderTime wrote_all_at_{};
    // broken_since_: since when some files of the row are gone, but not all. whole_since_: since
    // when the row is whole again.
    std::optional<FolderTime> broken_since_;
    std::optional<FolderTime> whole_since_;
    std::string left_out_;
};

}  // namespace fieldpost::cli
