// Bundles on a medium: read and written through the daemon, which opens and seals them.
//
// Promise: what is read is taken in piece by piece, so what came before an error stays; what is
// written appears whole, or not at all (medium.h). Ctrl-C between two pieces leaves nothing behind.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/medium.h"
#include "cli/progress.h"
#include "proto/words.h"

namespace fieldpost::cli {

// From the first of these on SIGINT and SIGTERM are only noted.
class Interruptible {
public:
    Interruptible();
    [[nodiscard]] static bool is_interrupted();
};

// "reading 4f1c93.bin: 12 MB of 40 MB, 3 MB/s, 9 s left".
class Rate {
public:
    explicit Rate(const Common& common) : line_(common) {}
    // `all` is 0 where nobody knows.
    void show(const std::string& what, std::uint64_t done, std::uint64_t all);
    void begin() { begun_ = std::chrono::steady_clock::now(); }
    void clear() { line_.clear(); }

private:
    ProgressLine line_;
    std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
    std::chrono::steady_clock::time_point shown_{};
};

// What the daemon says of a bundle (proto/control.proto, BundleRead).
struct ReadBundle {
    bool is_bundle = false;
    bool is_whole = false;
    bool is_own = false;
    std::uint32_t place = 0;  // from 1 on, in a row in one place; 0: in none
    bool brought_roster = false;
    std::string office;  // empty: it does not say
    std::int64_t made_unix_s = 0;
    std::vector<std::string> targets;  // empty: everybody
    std::uint64_t new_reports = 0;
    std::uint64_t known = 0;
    std::uint64_t rejected = 0;
    std::vector<std::pair<std::string, std::uint64_t>> reasons;  // with how many reports
    std::string refused;
    // The error of a file that cannot be read to its end though the medium is there; everything
    // before that place was taken in.
    std::string broken_off;
    std::uint64_t damaged_bytes = 0;
    std::string said;
    std::string holds;
    struct Record {
        std::string id;
        RecordClass priority{};
        std::uint64_t size_bytes = 0;
        bool is_new = false;
    };
    std::vector<Record> records;  // if it was only looked at
};
enum class Reading : std::uint8_t { take_in, only_look };
// One file that is read in pieces, as far as it went when it was opened.
class BundleReading {
public:
    // As InputFile::open().
    static Outcome<BundleReading> open(const Common& common, const std::filesystem::path& path,
                                       Reading reading);
    // At most so many bytes more. Nothing: there is more. An Error says that the medium is gone, or
    // is the daemon's, which forgets what it is not asked about for a minute.
    Outcome<std::optional<ReadBundle>> read_on(std::uint64_t bytes_max, Rate& rate);
    // When it was opened.
    [[nodiscard]] const Stamp& stamp() const { return file_.stamp(); }

private:
    BundleReading(const Common& common, std::filesystem::path path, Reading reading, InputFile file)
        : common_(&common), path_(std::move(path)), reading_(reading), file_(std::move(file)) {}
    [[nodiscard]] std::string broken_off() const;

    const Common* common_;
    std::filesystem::path path_;
    Reading reading_;
    InputFile file_;
    std::uint64_t bundle_ = 0;
    std::uint64_t done_ = 0;
    bool is_over_ = false;
    std::vector<ReadBundle::Record> records_{};
};
// One file, to its end or to where it cannot be read any further. An Error says that the medium is
// gone, or is the daemon's.
Outcome<ReadBundle> read_bundle(const Common& common, const std::filesystem::path& path,
                                Reading reading, Rate& rate);
// What a person should know of a file that was taken in; empty if all is well.
std::vector<std::string> troubles_of(const std::filesystem::path& path, const ReadBundle& told);

struct OwnFile {
    std::filesystem::path path;
    Stamp stamp{};  // when it was read
};
struct Taken {
    std::size_t files = 0;
    std::size_t ignored = 0;
    std::uint64_t new_reports = 0;
    std::uint64_t known = 0;
    std::uint64_t rejected = 0;
    std::vector<std::pair<std::string, std::string>> errors;  // file, reason
    std::vector<OwnFile> own;                                 // that this office left there before
    std::vector<OwnFile> own_summaries;                       // of those, without any report
};
// Files, and what lies at the top of folders. An Error is of a file or folder that was named, or
// the daemon's.
Outcome<Taken> take_in(const Common& common, const std::vector<std::filesystem::path>& paths);

struct WriteOptions {
    std::vector<std::string> offices;  // empty: everybody
    std::string max_size;
    std::string file_size;
    bool is_all = false;
    bool has_records = true;
    bool must_hold_some = true;  // reports, if there are any
    // For a row in one place: only what is new, all of it in one file, and room is left for what
    // is urgent later. Exits with no_space where that cannot be, or leaves the row.
    bool is_in_row = false;
    bool must_hold_news = false;
    bool is_only_addition = false;
    // Of what was written there before, as the daemon told it: only what is new since.
    std::string since{};
    // What those bundles, and files of others there, hold; as the daemon told it.
    std::vector<std::string> in_row{};
    std::vector<std::string> of_others{};
    // In a folder, of the first file and of each while it is written; empty: one that says nothing.
    std::string name{};
    std::string temporary{};
};
struct Written {
    std::vector<std::filesystem::path> files;  // none: there was nothing to write
    std::uint64_t bytes = 0;
    std::uint64_t reports = 0;
    std::uint64_t left_out = 0;
    bool is_short = false;
    bool is_addition = false;
    std::string said{};
    std::string holds{};
    std::string state{};
};
// Of this office, for bundles.
struct Standing {
    bool is_unchanged = false;  // since it was `state`
    std::uint32_t roster_version = 0;
    // Urgent reports that it knows of or has known of: another number says that one has come.
    std::uint64_t urgent_known = 0;
};
Outcome<Standing> standing_since(const Common& common, const std::string& state);
// To a new file, or to a folder under names that say nothing. not_found: what is to be mounted
// there is not (mounts.h).
Outcome<Written> write_bundle(const Common& common, const std::filesystem::path& path,
                              const WriteOptions& options);
// What this office left there before goes once the new one is on the medium, unless that holds
// less.
Outcome<Written> write_in_place_of(const Common& common, const std::filesystem::path& folder,
                                   const WriteOptions& options, const std::vector<OwnFile>& own);

}  // namespace fieldpost::cli
