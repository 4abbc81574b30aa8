// A folder and the daemons of some offices that follow it, in memory and in virtual time, for the
// follower's tests. An office is a set of numbered reports, and a bundle is a line of text:
// "FP writer counter place S:has,has R:report,report END". Looking and reading cost time.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "cli/folder/follower.h"

namespace fieldpost::tests {

using Reports = std::set<int>;

struct ImaginedFile {
    std::string content;
    cli::Stamp stamp{};
    bool is_readable = true;
    bool is_plain = true;
};

class ImaginedFolder {
public:
    cli::FolderTime now{std::chrono::hours(1000)};
    std::map<std::string, ImaginedFile> files;
    cli::FolderPlace place{"/", "disk", "folder"};
    bool is_there = true;
    bool is_full = false;
    std::mt19937_64 dice{1};  // for the names of files
    std::chrono::nanoseconds cost_of_name{0};
    std::chrono::nanoseconds cost_of_stamp{0};
    std::chrono::nanoseconds spent{0};  // in looking
    std::uint64_t bytes_per_second = 100'000'000;

    // `size`: the size that the file pretends to have.
    void put(const std::string& name, const std::string& content, std::int64_t size = -1);
    void touch(const std::string& name);
    void rename(const std::string& from, const std::string& to);
    void spend(std::chrono::nanoseconds time) {
        now += time;
        spent += time;
    }

private:
    std::int64_t tick_ = 0;
    std::uint64_t inode_ = 0;
};

class ImaginedOffice : public cli::FolderHands {
public:
    ImaginedOffice(ImaginedFolder& folder, std::string name, std::vector<std::string> all);

    // --- what people do
    void queue(int report, bool is_urgent = false);
    [[nodiscard]] const Reports& reports() const { return reports_; }
    void restart() { follower_ = std::make_unique<cli::Follower>(*this, cli::FollowOptions{}); }
    // Lets the follower work if it is due.
    void turn();
    [[nodiscard]] const std::string& trouble() const { return trouble_; }
    std::function<void()> while_writing{};
    std::uint64_t bytes_read = 0;
    int pieces_read = 0;
    bool has_removed_foreign = false;

    // The reports in this office's files in the folder.
    [[nodiscard]] Reports left() const;
    [[nodiscard]] int files_left() const;

    // --- FolderHands
    [[nodiscard]] cli::FolderTime now() const override { return folder_.now; }
    cli::Outcome<cli::FolderPlace> place() override;
    cli::Outcome<bool> list(std::size_t names_max,
                            const std::function<void(const std::string&)>& see) override;
    std::optional<cli::Stamp> stamp(const std::string& name) override;
    bool is_own_part(const std::string& name) override {
        return name.starts_with(name_ + "-") && name.ends_with(".part");
    }
    cli::Outcome<void> remove(const std::string& name, const cli::Stamp& stamp) override;
    cli::Outcome<std::optional<cli::ReadBundle>> read(const std::string& name,
                                                      std::uint64_t bytes_max) override;
    void stop_reading(const std::string& name) override { done_.erase(name); }
    cli::Outcome<cli::Standing> standing(const std::string& state) override;
    cli::Outcome<std::vector<std::size_t>> row_among(
        const std::vector<cli::RowCandidate>& files) override;
    cli::Outcome<cli::Written> write(const cli::WriteOptions& order,
                                     const cli::FolderPlace& place) override;
    cli::Outcome<void> tell(const std::string& trouble) override;
    void say(const std::string&) override {}

private:
    [[nodiscard]] std::string state() const { return std::to_string(version_); }
    [[nodiscard]] Reports lacked() const;

    ImaginedFolder& folder_;
    std::string name_;
    std::vector<std::string> all_;
    Reports reports_;
    Reports own_;
    std::uint64_t urgent_known_ = 0;
    std::map<std::string, std::pair<int, Reports>> said_;
    int counter_ = 0;
    int version_ = 1;
    int next_name_ = 0;
    std::map<std::string, std::uint64_t> done_;
    std::string trouble_;
    std::unique_ptr<cli::Follower> follower_;
    cli::FolderTime next_{};
};

// Lets all offices take a turn every half second, for so long. Calls `between` before each half
// second.
void pass(ImaginedFolder& folder, const std::vector<ImaginedOffice*>& offices,
          std::chrono::milliseconds time, const std::function<void()>& between = {},
          std::chrono::milliseconds step = std::chrono::milliseconds(500));

}  // namespace fieldpost::tests
