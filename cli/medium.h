// Files on a medium that belongs to nobody, and may be pulled out at any moment.
//
// Promise: a file that is read is a plain file of the named folder. A link, a pipe or a device
// there is never followed. A file that is written appears whole under its name, once it is on the
// medium, or not at all.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <vector>

#include "cli/command.h"

namespace fieldpost::cli {

// The marks by which one state of a file differs from another.
struct Stamp {
    std::int64_t size = -1;
    std::int64_t modified_ns = 0;
    std::int64_t changed_ns = 0;  // last change of its inode: writing, renaming, chmod
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    bool operator==(const Stamp&) const = default;

    // True if the content is that of `other`, unless somebody wrote to the file and set its time
    // back. The names may differ.
    [[nodiscard]] bool has_content_of(const Stamp& other) const {
        return size == other.size && modified_ns == other.modified_ns && device == other.device &&
               inode == other.inode;
    }
};
// Nothing: there is no plain file.
std::optional<Stamp> stamp_of(const std::filesystem::path& path);

class InputFile {
public:
    // not_found: no such file. invalid: no plain file.
    static Outcome<InputFile> open(const std::filesystem::path& path);
    ~InputFile();
    InputFile(InputFile&& other) noexcept
        : fd_(std::exchange(other.fd_, -1)),
          stamp_(other.stamp_),
          failure_(std::move(other.failure_)) {}
    InputFile& operator=(InputFile&&) = delete;
    InputFile(const InputFile&) = delete;
    InputFile& operator=(const InputFile&) = delete;

    [[nodiscard]] std::uint64_t size() const { return static_cast<std::uint64_t>(stamp_.size); }
    // The file's stamp when it was opened.
    [[nodiscard]] const Stamp& stamp() const { return stamp_; }
    // The next bytes. There are fewer at the end of the file, or where it cannot be read any
    // further (failure()).
    std::string read(std::size_t bytes);
    [[nodiscard]] const std::optional<Failure>& failure() const { return failure_; }

private:
    InputFile(int fd, const Stamp& stamp) : fd_(fd), stamp_(stamp) {}
    int fd_;
    Stamp stamp_;
    std::optional<Failure> failure_;
};

// True if a file whose reading failed can still be opened, and its folder can be listed. Then one
// place of the medium is bad, and the medium is not gone.
bool is_still_there(const std::filesystem::path& path);

// Calls `see` with names at a folder's top level that are not hidden and may be plain files. The
// order is the folder's own. At most `names_max` names are given. False: there are more.
Outcome<bool> list_names(const std::filesystem::path& folder, std::size_t names_max,
                         const std::function<void(const std::string&)>& see);
// The plain files at a folder's top level that are not hidden, smaller files first.
Outcome<std::vector<std::filesystem::path>> files_of(const std::filesystem::path& folder);

class OutputFile {
public:
    // Until finish() the file has the name `temporary`, or, if that is empty, a name that tells
    // nothing and ends in ".part". refused: the folder cannot be written to.
    static Outcome<OutputFile> create(const std::filesystem::path& path,
                                      const std::string& temporary = {});
    // The same for a file that only its owner may read. Until finish() its name is `path` with
    // ".part". A file that a killed program left under that name is used again. failed: another
    // process is writing it.
    static Outcome<OutputFile> create_private(const std::filesystem::path& path);
    // The same under a name that no other process uses.
    static Outcome<OutputFile> create_private_in(const std::filesystem::path& folder);
    // Removes the file, if it was not finished.
    ~OutputFile();
    OutputFile(OutputFile&& other) noexcept;
    OutputFile& operator=(OutputFile&&) = delete;
    OutputFile(const OutputFile&) = delete;
    OutputFile& operator=(const OutputFile&) = delete;

    Outcome<void> write(std::string_view bytes);
    // Afterwards the content is on the medium.
    Outcome<void> close();
    // Afterwards the file has its name. invalid: another file has that name, and keeps it.
    Outcome<void> finish();
    // The same, but a file that has the name is replaced.
    Outcome<void> replace();
    // The name that it will have.
    void rename_to(std::filesystem::path path) { path_ = std::move(path); }
    [[nodiscard]] const std::filesystem::path& path() const { return path_; }
    // The name that it has until then.
    [[nodiscard]] const std::filesystem::path& temporary() const { return temporary_; }
    [[nodiscard]] std::uint64_t size() const { return size_; }

private:
    OutputFile(int fd, std::filesystem::path path, std::filesystem::path temporary);
    int fd_;
    std::filesystem::path path_;
    std::filesystem::path temporary_;
    std::uint64_t size_ = 0;
};

// Afterwards everything in the folder is on the medium.
Outcome<void> sync_folder(const std::filesystem::path& folder);

// Gives a file another name in its folder. False: errno says why. EEXIST: a file with that name
// exists.
bool name_new(const std::filesystem::path& from, const std::filesystem::path& to);

// A name in the folder that tells nothing, and that no file has yet.
std::filesystem::path new_name(const std::filesystem::path& folder);
// Removes the file. Afterwards the removal is on the medium. A file that no longer matches `stamp`
// belongs to somebody else by now, and stays.
Outcome<void> remove_file(const std::filesystem::path& path, const Stamp& stamp);
std::uint64_t free_bytes(const std::filesystem::path& folder);

}  // namespace fieldpost::cli
