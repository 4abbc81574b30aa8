// Statements that a lying member makes in the name of others, or of itself.
#pragma once

#include "tests/simulation/forging.h"

namespace fieldpost::tests {

// A receipt in `of`'s name, signed by `signer`: it has received these numbers of hyesan's normal
// log.
Register receipt_of(World& world, Node of, Node signer, const IntervalSet& received,
                    std::uint64_t counter);
// A newer statement of the office `of` about itself.
Register office_register(const World& world, Node of, const OfficeStatement& statement);
Custody custody_signed_by(const World& world, Node of, Node signer, std::uint64_t counter);
// A bundle's head and summary in `of`'s name, signed by `signer`: it has everything that hyesan may
// ever write.
std::vector<Frame> has_everything(const World& world, Node of, Node signer);

}  // namespace fieldpost::tests
