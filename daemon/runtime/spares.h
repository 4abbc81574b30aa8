// Connections that stand ready beside the links in use, and when links died.
//
// Nothing was sent on a spare, so nothing waits there for a retransmission when the way to the peer
// is open again. This end dials one for an office; of those that the peer dialled a few are kept.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "daemon/link/zmq_link.h"
#include "proto/vocabulary.h"

namespace fieldpost::runtime {

class Spares {
public:
    // --- dialled here, one for an office
    struct Spare {
        link::ConnectionId connection{};
        std::string endpoint;
        bool is_ready = false;  // its handshake is done
    };
    [[nodiscard]] const std::map<OfficeId, Spare>& dialled() const { return dialled_; }
    void put(OfficeId office, Spare spare) { dialled_.insert_or_assign(office, std::move(spare)); }
    // Null: there is none.
    [[nodiscard]] const Spare* find(OfficeId office) const;
    [[nodiscard]] const Spare* ready(OfficeId office) const;
    void set_ready(OfficeId office, bool is_ready) { dialled_.at(office).is_ready = is_ready; }
    // It is no spare any more. Nothing: there was none.
    std::optional<Spare> take(OfficeId office);

    // --- dialled by the peers
    // Returns the one that is too many then, to be closed.
    std::optional<link::ConnectionId> keep(OfficeId office, link::ConnectionId connection);
    // It is no spare any more. Nothing: it was none.
    std::optional<OfficeId> take_kept(link::ConnectionId connection);
    [[nodiscard]] std::vector<link::ConnectionId> kept() const;

    // A connection is gone. True if it was a spare that was dialled here.
    bool went(link::ConnectionId connection);

    // --- links that died
    void died(OfficeId office, Instant at) { died_[office] = at; }
    // True if this address of the office is to be asked several times a second: its link died less
    // than 45 s ago, and a spare to this address stands ready. So the office has proved its key
    // there. Other addresses may be told by a member that wants another machine to be asked.
    [[nodiscard]] bool is_asked_often(OfficeId office, const std::string& endpoint,
                                      Instant now) const;
    [[nodiscard]] bool has_died_within(OfficeId office, std::chrono::milliseconds span,
                                       Instant now) const;

private:
    std::map<OfficeId, Spare> dialled_;
    std::vector<std::pair<OfficeId, link::ConnectionId>> kept_;
    std::map<OfficeId, Instant> died_;  // when the last link to each did
};

}  // namespace fieldpost::runtime
