// An office on a new machine. It has a new index, the same name and the next ordinal, and the
// roster names the index that it replaces.
//
// Every author writes again, sealed to the new machine, what the old one is not known to have
// received (record/reissue.h). Until then these reports are under way, although the old machine is
// cut off. Peers do nothing.
//
// Not written again: answers and withdrawals. The new machine does not have the reports that they
// are about.
#pragma once

#include "daemon/engine/ledger.h"

namespace fieldpost::engine {

// True if a new machine takes over what this office still owes to `office`: it is invited or
// admitted, and this office has not yet written everything to it.
bool is_replaced_soon(const Ledger& ledger, const crypto::RosterOffice& office);

// True if `newer` took the place of `older`, at once or after others.
bool has_replaced(const Ledger& ledger, OfficeId newer, OfficeId older);

// The new machines that this office still has to write to, from which arrival on. Not in the store:
// a report that was written to one does not name its old index any more.
class CatchingUp {
public:
    // To be called at a start, and whenever the roster has changed.
    void look_at_roster(const Ledger& ledger);
    // Writes again a part of what is owed. True: it wrote something, or reached the end for one
    // machine, and there may be more to do. While mail is locked, or a machine has no prekey, it
    // waits. An Error is the store's.
    Result<bool> go_on(Ledger& ledger, Now now, std::vector<Notice>& notify);

private:
    std::map<OfficeId, storage::Arrival> from_;
};

}  // namespace fieldpost::engine
