// Links as those who watch see them.
#pragma once

#include <chrono>
#include <optional>
#include <vector>

#include "storage/record_store.h"

namespace fieldpost::engine {

// A body that needs many frames, on its way to the peer or from it.
struct Transfer {
    storage::ReportKey report;  // the first of its record
    bool is_incoming = false;
    std::uint64_t done_bytes = 0;
    std::uint64_t body_bytes = 0;
};
struct LinkView {
    OfficeId peer{};
    // Both ends have said that nothing is left to push.
    bool is_settled = false;
    bool passes_only_urgent = false;                      // by this end's policy or by the other's
    bool has_used_up = false;                             // what it might send before that
    std::optional<std::chrono::milliseconds> round_trip;  // the least of late
    std::uint64_t acknowledged_bytes = 0;                 // of data, by the peer
    std::vector<Transfer> transfers;
};

}  // namespace fieldpost::engine
