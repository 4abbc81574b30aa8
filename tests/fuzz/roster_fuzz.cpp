// Founding statements and roster changes.
#include "crypto/roster.h"
#include "tests/fuzz/fuzz.h"

using namespace fieldpost;

FUZZ_TARGET(roster) {
    fuzz::exact(bytes, &decode_founding, &encode_founding);
    fuzz::exact_front(bytes, &read_roster_change, &encode_roster_change);
    if (const auto founding = decode_founding(bytes)) {
        static_cast<void>(crypto::Roster::found(*founding));
    }
}
