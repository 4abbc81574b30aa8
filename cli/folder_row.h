// The row of files that this office left in a folder that is followed, and when there is to be
// another one.
//
// Promise: a value, without files and without a clock. No wait here begins again by what others do
// in the folder.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cli/folder_files.h"

namespace fieldpost::cli {

class FolderRow {
public:
    // `offices` sorted, each once; empty: everybody.
    explicit FolderRow(std::vector<std::string> offices) : offices_(std::move(offices)) {}

    // After a start, once our files there were read: what an earlier run left there is not left
    // again, if the row is whole.
    void remember(const FolderFiles::Files& files);
    // At each look.
    void note(const FolderFiles::Files& files, FolderTime now);
    // Although nothing has changed in this office.
    [[nodiscard]] bool is_due(const FolderFiles& files, FolderTime now) const;
    // Nothing is left beside what could not all be left so soon.
    [[nodiscard]] bool may_write_alone(FolderTime now) const;

    // The order for what is written next.
    [[nodiscard]] WriteOptions order(const FolderFiles& files, FolderTime now,
                                     std::uint16_t chance);
    // All of it, in files of no row, where it does not fit one file.
    void order_alone(WriteOptions& order) const;
    void wrote(const Written& written, bool is_in_row, std::set<std::string> relied_on,
               FolderTime now);
    // Our files that the last one stands in for; to be asked before wrote().
    [[nodiscard]] std::vector<std::string> replaced_by(const Written& written,
                                                       const FolderFiles::Files& files,
                                                       FolderTime now) const;

    // As the daemon told it, of when the last one was written.
    [[nodiscard]] const std::string& state() const { return state_; }
    [[nodiscard]] const std::string& left_out() const { return left_out_; }
    [[nodiscard]] std::vector<std::string> names() const;

    // A name for the file that stands behind one that said this, so that the two can be known for
    // neighbours in one row. It says nothing to anybody who cannot read that one. Empty: any name.
    static std::string name_after(const std::string& said, std::uint16_t chance);
    static bool is_after(const std::string& name, const std::string& said);

private:
    struct Left {
        std::string name;
        std::string holds;
    };
    [[nodiscard]] bool is_whole(const FolderFiles::Files& files) const;
    [[nodiscard]] bool is_gone(const FolderFiles::Files& files) const;
    [[nodiscard]] bool is_lost(const FolderFiles::Files& files, FolderTime now) const;
    [[nodiscard]] bool is_long(const FolderFiles::Files& files) const;

    std::vector<std::string> offices_;
    // The newest file there that holds all, and those that were put beside it since, in order.
    // Older ones may be there as well: who copies both ways brings back what was removed.
    std::vector<Left> row_;
    // The words of the last of them, and the office's state then or later; as the daemon told it.
    std::string since_;
    std::string state_;
    // Files of others: this office did not leave what they hold.
    std::set<std::string> relied_on_;
    bool is_held_back_ = false;
    FolderTime wrote_at_{};
    FolderTime wrote_all_at_{};
    // Some of the row are gone, but not all; and since when it is whole again.
    std::optional<FolderTime> broken_since_;
    std::optional<FolderTime> whole_since_;
    std::string left_out_;
};

}  // namespace fieldpost::cli
