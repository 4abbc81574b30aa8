// What waits in our own logs is made public: packed, chained and signed, just before it is sent.
//
// Reports that waited together become one record over their numbers: texts of one office compress
// well together, and header, seal and signature are paid once, so an office that was offline pays
// about half on the wire. What anybody may have seen is never touched again.
#pragma once

#include "daemon/engine/ledger.h"

namespace fieldpost::engine {

// Makes held, unpublished records of an own log public in number order, up to `number`, or until
// about `bytes` of bodies are: a long queue is worked off between other things. The changes must be
// committed before the first byte is sent. An Error is the store's.
Result<void> publish(Ledger& ledger, const LogKey& log, Number number, std::size_t bytes);

}  // namespace fieldpost::engine
