// Bundles on a medium: read and written through the daemon, which opens and seals them.
//
// Promise: a file is taken in piece by piece, so the content before an error stays. A file that is
// written appears whole or not at all (medium.h). Ctrl-C between two pieces leaves nothing behind.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/medium.h"
#include "cli/progress.h"
#include "proto/words.h"

namespace fieldpost::cli {

// From the first object of this class on, SIGINT and SIGTERM are only noted.
class Interruptible {
public:
    Interruptible();
    [[nodiscard]] static bool is_interrupted();
};

// "reading 4f1c93.bin: 12 MB of 40 MB, 3 MB/s, 9 s left".
class Rate {
public:
    explicit Rate(const Common& common) : line_(common) {}
    // `all` is 0 if the size is not known.
    void show(const std::string& what, std::uint64_t done, std::uint64_t all);
    void begin() { begun_ = std::chrono::steady_clock::now(); }
    void clear() { line_.clear(); }

private:
    ProgressLine line_;
    std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
    std::chrono::steady_clock::time_point shown_{};
};

// The daemon's answer about a bundle (proto/control.proto, BundleRead).
struct ReadBundle {
    bool is_bundle = false;
    bool is_whole = false;
    bool is_own = false;
    bool brought_roster = false;
    std::string office;  // empty: the bundle does not name its writer
    std::int64_t made_unix_s = 0;
    std::vector<std::string> targets;  // empty: everybody
    // True if more of it may be taken in later: after a change of the roster, or if there is room.
    [[nodiscard]] bool has_refused() const { return rejected > 0 || !reasons.empty() || lacks_key; }
    std::uint64_t new_reports = 0;
    std::uint64_t known = 0;
    std::uint64_t rejected = 0;
    std::vector<std::pair<std::string, std::uint64_t>> reasons;  // each with its number of reports
    std::string refused;
    // Why a file cannot be read to its end, though the medium is there. Everything before that
    // place was taken in.
    std::string broken_off;
    std::uint64_t damaged_bytes = 0;
    bool lacks_key = false;  // it is sealed with a newer key than this office has
    // Opaque, for later requests of the process that looks after a folder.
    std::string bookmark;  // empty: the file holds nothing
    std::string tail;      // empty: the file is of no row of this office
    struct Record {
        std::string id;
        RecordClass priority{};
        std::uint64_t size_bytes = 0;
        bool is_new = false;
    };
    std::vector<Record> records;  // filled if it was only looked at
};
enum class Reading : std::uint8_t { take_in, only_look };
// One file that is read in pieces, up to its size when it was opened.
class BundleReading {
public:
    // As InputFile::open().
    static Outcome<BundleReading> open(const Common& common, const std::filesystem::path& path,
                                       Reading reading);
    // Reads at most `bytes_max` bytes more. Nothing: there is more to read. An Error means that the
    // medium is gone, or comes from the daemon. The daemon forgets a bundle after a minute without
    // a request for it.
    Outcome<std::optional<ReadBundle>> read_on(std::uint64_t bytes_max, Rate& rate);
    // The file's stamp when it was opened.
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
// Reads one file to its end, or to the place where it cannot be read any further. An Error means
// that the medium is gone, or comes from the daemon.
Outcome<ReadBundle> read_bundle(const Common& common, const std::filesystem::path& path,
                                Reading reading, Rate& rate);
// The troubles of a file that was taken in, for a person. Empty if all is well.
std::vector<std::string> troubles_of(const std::filesystem::path& path, const ReadBundle& told);

struct OwnFile {
    std::filesystem::path path;
    Stamp stamp{};  // as it was when the file was read
};
struct Taken {
    std::size_t files = 0;
    std::size_t ignored = 0;
    std::uint64_t new_reports = 0;
    std::uint64_t known = 0;
    std::uint64_t rejected = 0;
    std::vector<std::pair<std::string, std::string>> errors;  // file, reason
    std::vector<OwnFile> own;            // files that this office left there before
    std::vector<OwnFile> own_summaries;  // those of `own` that hold no report
};
// Takes in files, and the files at the top of folders. An Error is about a file or folder that was
// named, or comes from the daemon.
Outcome<Taken> take_in(const Common& common, const std::vector<std::filesystem::path>& paths);

struct WriteOptions {
    std::vector<std::string> offices;  // empty: everybody
    std::string max_size;
    std::string file_size;
    bool is_all = false;
    bool has_records = true;
    bool must_hold_some = true;  // at least one report, if there are any
    bool must_hold_news = false;
    // One file of a row in a folder that is followed. It holds only what is new since the files
    // before it, and all of that. It leaves room for urgent reports that come later. If that cannot
    // be, the write fails with exit_no_space and the code "not_in_one".
    struct Row {
        // Bookmarks, in the order of the row, and the tail of the last. None: it begins a row.
        std::vector<std::string> files{};
        std::string tail{};
        bool is_only_addition = false;
    };
    std::optional<Row> row{};
    std::vector<std::string> others{};  // bookmarks of files of other offices there
    // In a folder: the name of the first file while it is written. Empty: a name that tells
    // nothing.
    std::string temporary{};
};
struct Written {
    std::vector<std::filesystem::path> files;  // empty: there was nothing to write
    std::uint64_t bytes = 0;
    std::uint64_t reports = 0;
    std::uint64_t left_out = 0;
    bool is_short = false;
    bool is_addition = false;
    std::string bookmark{};
    std::string tail{};
    std::string state{};
};
// The state of this office, as far as it matters for bundles.
struct Standing {
    bool is_unchanged = false;  // since a bundle was written, and told that state
    std::uint32_t roster_version = 0;
    // The number of urgent reports that this office knows of, or has known of. If it changes, an
    // urgent report has come.
    std::uint64_t urgent_known = 0;
};
Outcome<Standing> standing_since(const Common& common, const std::string& state);
struct RowCandidate {
    std::string name;
    std::string bookmark;
    std::string tail;
};
// The files of this office's row, in its order: their numbers in `files`, which stand in the order
// in which they were made.
Outcome<std::vector<std::size_t>> row_among(const Common& common,
                                            const std::vector<RowCandidate>& files);
// Writes to a new file, or to a folder under names that tell nothing. not_found: the medium that
// should be mounted there is not (mounts.h).
Outcome<Written> write_bundle(const Common& common, const std::filesystem::path& path,
                              const WriteOptions& options);
// Files that this office left there before are removed once the new bundle is on the medium. They
// stay if reports were left out of the new bundle.
Outcome<Written> write_in_place_of(const Common& common, const std::filesystem::path& folder,
                                   const WriteOptions& options, const std::vector<OwnFile>& own);

}  // namespace fieldpost::cli
