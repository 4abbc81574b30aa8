// Lets the members of a further group reach a file, by an entry in its access control list
// (acl(5)). The owner, the first group and the mode that a listing shows stay as they are.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>

#include "proto/result.h"

namespace fieldpost::home {

// Nothing: this machine has no such group.
std::optional<gid_t> group_id(const std::string& name);

enum class Access { pass_through, read_and_write };
// `pass_through` is for a folder: what lies in it can be opened by name, and it cannot be listed.
// Safe to repeat. unavailable: the file system keeps no such lists, or it is not our file.
Result<void> grant(const std::filesystem::path& path, gid_t group, Access access);

}  // namespace fieldpost::home
