// The configuration of fieldpostd: its options and HOME/fieldpost.toml, which have the same keys.
#pragma once

#include <array>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "daemon/runtime/coverage.h"
#include "daemon/runtime/policy.h"
#include "proto/result.h"

namespace fieldpost::runtime {

// One [[peer]].
struct PeerConfiguration {
    std::string address;
    Policy policy{};
    bool operator==(const PeerConfiguration&) const = default;
};

// One [[folder]].
struct FolderConfiguration {
    std::string path;
    std::vector<std::string> offices;  // for whom; empty: for everybody
    bool is_read_only = false;         // nothing is left there
    bool operator==(const FolderConfiguration&) const = default;
};

// One [[spool]].
struct SpoolConfiguration {
    std::string path;
    std::vector<std::string> to;     // offices and groups
    std::vector<std::string> allow;  // of a JSON object's keys
    std::uint32_t keep_seconds = 7U * 86400;
    bool operator==(const SpoolConfiguration&) const = default;
};

struct Configuration {
    std::vector<std::string> listen;
    std::vector<std::string> advertise;
    bool beacon = true;
    std::vector<PeerConfiguration> peers;
    std::vector<FolderConfiguration> folders{};
    std::vector<SpoolConfiguration> spools{};
    std::vector<Expectation> expectations{};
    std::uint64_t store_bytes = std::uint64_t{4} << 30;
    std::uint64_t carry_bytes = std::uint64_t{1} << 30;
};

// The file with what the command line adds. No file is an empty one; a link to a file is read.
// Never waits. malformed: with line and reason; a key this release does not know is one, and so is
// a file of over 1 MiB, or something that is no file.
Result<Configuration> read_configuration(const std::filesystem::path& file,
                                         const Configuration& added);

}  // namespace fieldpost::runtime
