// The part of an office's home that lies outside its store: keys, founding statement, the files
// that `join` leaves for the daemon, and the marker that catches a store put back from a copy.
//
// Promise: a file here is there whole or not at all, after a power cut too. No other code knows the
// names of these files.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "crypto/identity.h"
#include "proto/register.h"
#include "proto/roster_change.h"

namespace fieldpost::home {

// Writes a new file beside `path`, syncs, renames, syncs the folder. It never writes into a file
// that somebody else made at `path` or beside it. unavailable or storage_full: `path` is as before.
Result<void> write_whole(const std::filesystem::path& path, BytesView bytes, unsigned mode);
// not_found: no such file. limit_exceeded: larger than `max`.
Result<Bytes> read_whole(const std::filesystem::path& path, std::size_t max);

struct OfficeIdentity {
    OfficeId index{};
    Incarnation incarnation;
    WallTime mark;  // no signed time known here is later
};

// The home of an office if none is named: $FIELDPOST_HOME, else /var/lib/fieldpost if it exists,
// else the user's own data folder.
std::filesystem::path default_home();

class OfficeHome {
public:
    explicit OfficeHome(std::filesystem::path folder) : folder_(std::move(folder)) {}

    [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }
    [[nodiscard]] std::filesystem::path store() const { return folder_ / "store"; }
    [[nodiscard]] std::filesystem::path socket() const { return folder_ / "control"; }
    // Takes only requests that change nothing, from members of the readers' group too.
    [[nodiscard]] std::filesystem::path readers_socket() const { return folder_ / "control-read"; }
    // The sinks that read this office's feed, and what is known of them.
    [[nodiscard]] std::filesystem::path sinks() const { return folder_ / "sinks"; }
    [[nodiscard]] std::filesystem::path lock() const { return folder_ / "lock"; }
    // Records how far the store has come. It lies outside the store, so that a store put back from
    // a copy is caught.
    [[nodiscard]] std::filesystem::path marker() const { return folder_ / "marker"; }
    [[nodiscard]] std::filesystem::path configuration() const { return folder_ / "fieldpost.toml"; }
    // True if an office lives here: `init` or `join` was done.
    [[nodiscard]] bool is_office() const;

    struct Arrivals {
        std::vector<RosterChange> roster;
        std::vector<Register> registers;
    };
    // Makes a new office here. is_office() looks for the file that is written last. refused: an
    // office lives here already.
    Result<void> create(const crypto::MachineKeys& machine, const crypto::MailKeys& mail,
                        const Founding& founding, const OfficeIdentity& identity,
                        const Arrivals& arrivals, BytesView invite_seed) const;

    [[nodiscard]] Result<crypto::MachineKeys> machine_keys() const;
    [[nodiscard]] Result<crypto::MailKeys> mail_keys() const;
    [[nodiscard]] Result<Founding> founding() const;
    [[nodiscard]] Result<OfficeIdentity> identity() const;
    [[nodiscard]] Result<Arrivals> arrivals() const;
    // The roster as the daemon last knew it, for commands that look while the daemon is down.
    [[nodiscard]] Result<Arrivals> roster_copy() const;
    Result<void> write_roster_copy(const std::vector<RosterChange>& roster) const;
    // The seed of the invitation, until the office is admitted.
    [[nodiscard]] Result<std::optional<Bytes>> invite_seed() const;
    void drop_invite_seed() const;

private:
    std::filesystem::path folder_;
};

}  // namespace fieldpost::home
