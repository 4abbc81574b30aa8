// The keys that this machine dials with. Until the others know that it is admitted they know its
// office by the key of its invitation only, so it tries that one and its own in turn.
#pragma once

#include <optional>

#include "crypto/identity.h"
#include "crypto/invite.h"
#include "daemon/link/zmq_link.h"

namespace fieldpost::runtime {

class JoiningKeys {
public:
    // `machine` must outlive it.
    explicit JoiningKeys(const crypto::MachineKeys& machine) : machine_(machine) {}

    // Nothing: this office is a member, and has its own key only.
    void begin(const std::optional<crypto::InviteSeed>& seed);
    [[nodiscard]] bool is_joining() const { return one_time_.has_value(); }
    // Valid as long as this object, and until begin().
    [[nodiscard]] link::KeyPair own() const;
    [[nodiscard]] link::KeyPair dials_as() const;

    // The peer did not let this office in under its current key, so the other key is next. True if
    // that has happened so often that people should know.
    bool turned_away();
    // An office speaks to this one. True if people were told of the contrary.
    bool let_in();

private:
    const crypto::MachineKeys& machine_;
    std::optional<crypto::BoxKeyPair> one_time_;
    bool is_one_time_next_ = false;
    int times_turned_away_ = 0;  // under either key
};

}  // namespace fieldpost::runtime
