#include "daemon/runtime/joining_keys.h"

#include <utility>

namespace fieldpost::runtime {

namespace {

// An invitee tries its two keys in turn, so a member's door closes on it a few times in any case.
constexpr int turned_away_often = 8;

}  // namespace

void JoiningKeys::begin(const std::optional<crypto::InviteSeed>& seed) {
    one_time_.reset();
    if (seed) {
        one_time_ = crypto::one_time_box_key(*seed);
        is_one_time_next_ = true;
    }
}

link::KeyPair JoiningKeys::own() const {
    return {machine_.link.public_key, machine_.link.secret.view()};
}

link::KeyPair JoiningKeys::dials_as() const {
    return one_time_ && is_one_time_next_
               ? link::KeyPair{one_time_->public_key, one_time_->secret.view()}
               : own();
}

bool JoiningKeys::turned_away() {
    // An office that was admitted while it was away is known by its own key from then on, and does
    // not know it.
    is_one_time_next_ = !is_one_time_next_;
    return ++times_turned_away_ == turned_away_often;
}

bool JoiningKeys::let_in() {
    return std::exchange(times_turned_away_, 0) >= turned_away_often;
}

}  // namespace fieldpost::runtime
