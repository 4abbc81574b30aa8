// Bundles that the command is reading or writing, one piece a request.
//
// Promise: a command that went away costs a minute of a little memory.
#pragma once

#include <map>

#include "crypto/bundle_cells.h"
#include "daemon/engine/membership/groups.h"
#include "daemon/home/office_home.h"
#include "daemon/runtime/answering.h"

namespace fieldpost::wire {
class BundleRead;
class BundleReadRequest;
class BundleWriteRequest;
class FolderRowRequest;
class FolderStateRequest;
}  // namespace fieldpost::wire

namespace fieldpost::runtime {

class Bundles {
public:
    Bundles(const crypto::MachineKeys& machine, const NetworkId& network)
        : machine_(machine), network_(network) {
        forget_all();
    }

    Answered read(const engine::Ledger& ledger, const wire::BundleReadRequest& request, Now now);
    Answered write(const engine::Ledger& ledger, const wire::BundleWriteRequest& request, Now now);
    [[nodiscard]] Answered state(const engine::Ledger& ledger,
                                 const wire::FolderStateRequest& request) const;
    static Answered row(const wire::FolderRowRequest& request);
    // Forgets bundles that no client has asked about for a minute, and tells the engine.
    std::vector<engine::Input> forget_idle(Now now);
    // The engine was made anew, and knows none of them.
    void forget_all();

private:
    struct Reader {
        crypto::BundleOpener opener;
        Instant used{};
        std::optional<BundleHead> head{};
        std::set<RecordId> seen{};  // bodies that only were looked at
        // The first part named an epoch of which this office has no key, and no cell of the second
        // part has opened.
        bool named_newer_epoch = false;
        bool has_second_part = false;
        [[nodiscard]] bool lacks_key() const { return named_newer_epoch && !has_second_part; }
    };
    struct Writer {
        crypto::BundleSealer sealer;
        Instant used{};
        bool is_file_ended = false;
        bool is_new_file = false;
        bool is_over = false;
        Bytes state{};
        std::string name{};
        engine::BundleContent last{};
    };

    struct Look;

    // Those of all epochs that this office knows.
    crypto::BundleKeys keys(const engine::Ledger& ledger);
    // The first part of a bundle may bring the transport secret under which its second part is.
    void learn_epoch(const engine::Ledger& ledger, Reader& reader, BytesView frame);
    bool make_room(Now now);
    static void look(const engine::Ledger& ledger, Reader& reader, BytesView frame,
                     wire::BundleRead& told);
    Bytes end_of_file(const engine::Ledger& ledger, engine::BundleId id, Writer& writer);
    // Begins a bundle.
    std::expected<engine::BundleId, Complaint> begin(const engine::Ledger& ledger,
                                                     const wire::BundleWriteRequest& request,
                                                     Now now, Pending& pending);
    [[nodiscard]] Bytes state_of(const engine::Ledger& ledger) const;

    const crypto::MachineKeys& machine_;
    NetworkId network_;
    engine::Transport transport_;
    Hash life_;  // of the engine, in which edits are counted
    std::uint64_t next_ = 1;
    std::map<engine::BundleId, Reader> readers_;
    std::map<engine::BundleId, Writer> writers_;
    std::vector<engine::BundleId> given_way_;  // and the engine does not know yet
};

}  // namespace fieldpost::runtime
