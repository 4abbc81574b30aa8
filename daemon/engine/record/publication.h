// Reports that wait in our own logs are made public just before they are sent: packed, chained and
// signed.
//
// Reports that waited together become one record over their numbers. Texts of one office compress
// well together, and header, seal and signature are paid once. So an office that was offline pays
// about half on the wire. A record that any other office may have seen is never changed again.
#pragma once

#include "daemon/engine/ledger.h"

namespace fieldpost::engine {

// Makes held, unpublished records of an own log public in number order. Stops at `number`, or after
// about `bytes` of bodies: a long queue is worked off between other things. The changes must be
// committed before the first byte is sent. An Error is the store's.
Result<void> publish(Ledger& ledger, const LogKey& log, Number number, std::size_t bytes);

}  // namespace fieldpost::engine
