#include "daemon/engine/session/step.h"

namespace fieldpost::engine {

namespace {

// A peer that breaks the protocol this often on one link loses it.
constexpr int offences_max = 8;

}  // namespace

void Step::offend(const std::string& how) const {
    ++offences.count;
    if (offences.count == 1) {
        ledger.note(What::offender, {.office = peer, .via = via(), .detail = how}, now, out.notify);
    }
    if (offences.count >= offences_max) {
        close_link(how);
    }
}

void Step::close_link(std::string reason, bool is_dead) const {
    out.notify.emplace_back(CloseLink{frames.link(), std::move(reason), is_dead});
}

}  // namespace fieldpost::engine
