// The way by which something came.
#pragma once

#include "storage/record_store.h"

namespace fieldpost::engine {

using storage::How;
using storage::What;

// Over a link with that office, or in a bundle that it wrote.
struct Via {
    OfficeId office{};
    How how = How::link;
};

}  // namespace fieldpost::engine
