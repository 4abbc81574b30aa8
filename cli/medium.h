// Files on a medium that belongs to nobody, and may be pulled out at any moment.
//
// Promise: what is read is a plain file of the folder that was named, never what a link, a pipe or
// a device there leads to; what is written appears whole under its name, once it is on the medium,
// or not at all.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <vector>

#include "cli/command.h"

namespace fieldpost::cli {

// The marks that tell one state of a file from another one.
struct Stamp {
    std::int64_t size = -1;
    std::int64_t modified_ns = 0;
    std::int64_t changed_ns = 0;  // its inode: by writing, renaming, chmod
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    bool operator==(const Stamp&) const = default;

    // The same file, unless somebody wrote to it and set its time back. Its name may be another.
    [[nodiscard]] bool has_content_of(const Stamp& other) const {
        return size == other.size && modified_ns == other.modified_ns && device == other.device &&
               inode == other.inode;
    }
};
// Nothing: no plain file is there.
std::optional<Stamp> stamp_of(const std::filesystem::path& path);

class InputFile {
public:
    // not_found, or invalid: no plain file.
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
    // When it was opened.
    [[nodiscard]] const Stamp& stamp() const { return stamp_; }
    // The next bytes; fewer at its end, or where it cannot be read any further (failure()).
    std::string read(std::size_t bytes);
    [[nodiscard]] const std::optional<Failure>& failure() const { return failure_; }

private:
    InputFile(int fd, const Stamp& stamp) : fd_(fd), stamp_(stamp) {}
    int fd_;
    Stamp stamp_;
    std::optional<Failure> failure_;
};

// True if a file whose reading failed can still be opened, and its folder be listed: then one place
// of the medium is bad, and the medium is not gone.
bool is_still_there(const std::filesystem::path& path);

// Calls `see` with the names at a folder's top level that are not hidden and may be plain files, in
// the folder's own order, at most `names_max` of them. False: there are more.
Outcome<bool> list_names(const std::filesystem::path& folder, std::size_t names_max,
                         const std::function<void(const std::string&)>& see);
// The plain files at a folder's top level that are not hidden, small ones first.
Outcome<std::vector<std::filesystem::path>> files_of(const std::filesystem::path& folder);

class OutputFile {
public:
    // Under another name until finish(): `temporary`, or one that says nothing if that is empty; it
    // ends in ".part". refused: the folder cannot be written to.
    static Outcome<OutputFile> create(const std::filesystem::path& path,
                                      const std::string& temporary = {});
    // Removed, if it was not finished.
    ~OutputFile();
    OutputFile(OutputFile&& other) noexcept;
    OutputFile& operator=(OutputFile&&) = delete;
    OutputFile(const OutputFile&) = delete;
    OutputFile& operator=(const OutputFile&) = delete;

    Outcome<void> write(std::string_view bytes);
    // On the medium.
    Outcome<void> close();
    // Then under its name. invalid: something has that name, and keeps it.
    Outcome<void> finish();
    [[nodiscard]] const std::filesystem::path& path() const { return path_; }
    [[nodiscard]] std::uint64_t size() const { return size_; }

private:
    OutputFile(int fd, std::filesystem::path path, std::filesystem::path temporary);
    int fd_;
    std::filesystem::path path_;
    std::filesystem::path temporary_;
    std::uint64_t size_ = 0;
};

// Gives a file another name in the same folder. False: errno says why; EEXIST if something has that
// name already.
bool name_new(const std::filesystem::path& from, const std::filesystem::path& to);

// A name there that says nothing, and that nothing has yet.
std::filesystem::path new_name(const std::filesystem::path& folder);
// Removed, and the removal is on the medium. A file that is not as `stamp` has it any more is
// somebody else's by now, and stays.
Outcome<void> remove_file(const std::filesystem::path& path, const Stamp& stamp);
std::uint64_t free_bytes(const std::filesystem::path& folder);

}  // namespace fieldpost::cli
