// Files and folders of a spool folder: which may be taken, and which are this process's own.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cli/command.h"

namespace fieldpost::cli::spool_files {

// The folders of this process in a spool folder. Below `taking` each claim has a folder, with its
// file in `main_folder`, and a reason in `why_folder` once it is to be rejected.
inline constexpr auto taking = ".taking";
inline constexpr auto main_folder = "main";
inline constexpr auto why_folder = ".why";
inline constexpr auto done = "done";
inline constexpr auto rejected = "rejected";

// The code of a failure that ends by itself: the file changes.
inline constexpr auto changing = "changing";
// The ending of a file that tells why another one was rejected.
inline constexpr std::string_view why_ending = ".why";

// True of files in which programs keep what is not whole, or what is for themselves.
bool is_never_taken(const std::string& name);
bool is_json(const std::string& name);
// True if a file that is no link bears no second name: a hard link may lead to a file elsewhere.
bool has_one_name(const std::filesystem::path& path);
// True if a program on this machine still writes to the file, as far as the kernel tells: such a
// file can have no lease. That is not known of another user's file, and some shares never give one.
bool is_being_written(const std::filesystem::path& path);
// True if a file there may be cut off: its writer could not go on. A share that tells nothing of
// its room is not full.
bool is_full(const std::filesystem::path& folder);

// The whole file, which is no link. invalid: it is larger than `bytes_max`. `changing`: it changed.
Outcome<std::string> content_of(const std::filesystem::path& path, std::uint64_t bytes_max);

// Makes a folder that only this process uses, or one for people, with the mode that the folder
// around it has. Something else under the name is not touched: a link would lead elsewhere.
Outcome<void> make_folder(const std::filesystem::path& path, bool is_for_people);
// True if it is a folder that this process made, and no link.
bool is_own_folder(const std::filesystem::path& path);
// The names in a folder of this process's own, in order; none if it is none.
std::vector<std::string> names_in_own(const std::filesystem::path& folder);
// True of "hyesan-12" and "hyesan-12 (2)": the name of what was queued.
bool is_named_as_done(const std::string& name);
Outcome<void> move(const std::filesystem::path& from, const std::filesystem::path& to);
// "scan.pdf", "scan (2).pdf", ...: a name that nothing in the folder has, nor a `.why` beside it.
std::filesystem::path free_name(const std::filesystem::path& folder, const std::string& name);

}  // namespace fieldpost::cli::spool_files
