// How much has gone over the links with an office today, where a policy limits that.
//
// The store remembers almost all bytes that were sent, whatever happens to the machine. A clock
// that is set back or ahead begins a new day at the worst.
#pragma once

#include <map>
#include <optional>

#include "daemon/engine/ledger.h"
#include "daemon/link/zmq_link.h"

namespace fieldpost::runtime {

class DailyUse {
public:
    // A connection has carried so much since it came up. To be told often, or the last of it is
    // missed when the connection goes.
    void carried(const engine::Ledger& ledger, OfficeId office, link::ConnectionId connection,
                 std::uint64_t bytes, std::int64_t day);
    void ended(link::ConnectionId connection);
    [[nodiscard]] std::uint64_t of(const engine::Ledger& ledger, OfficeId office,
                                   std::int64_t day) const;
    // The counts that the store should remember by now.
    std::vector<engine::Input> to_keep(const engine::Ledger& ledger, bool is_last);

private:
    struct Day {
        std::int64_t number = 0;
        std::uint64_t bytes = 0;
    };
    std::map<OfficeId, Day> days_;
    std::map<link::ConnectionId, std::uint64_t> counted_;
};

}  // namespace fieldpost::runtime
