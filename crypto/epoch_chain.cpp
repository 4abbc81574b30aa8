#include "crypto/epoch_chain.h"

#include "crypto/hash.h"
#include "proto/limits.h"

namespace fieldpost::crypto {

namespace {

BoxSecret step_back(BoxSecret secret, const NetworkId& network, OfficeId group, std::uint16_t from,
                    std::uint16_t earlier) {
    ensure(earlier <= from, "a chain of epochs goes backwards");
    for (auto epoch = from; epoch > earlier; --epoch) {
        ByteWriter place;
        place.u16(value_of(group));
        place.u16(epoch);
        auto before = keyed_hash(secret.view(), "epoch-before", network, {place.bytes()});
        secret = BoxSecret::from(before.view());
        wipe(before.bytes);
    }
    return secret;
}

}  // namespace

BoxSecret epoch_secret(const SigningKey& authority, const NetworkId& network, OfficeId group,
                       std::uint16_t epoch) {
    ensure(epoch > 0 && epoch <= limits::epochs_max, "an epoch has a number in the chain");
    ByteWriter place;
    place.u16(value_of(group));
    auto last = keyed_hash(authority.seed().view(), "epoch-last", network, {place.bytes()});
    auto secret = BoxSecret::from(last.view());
    wipe(last.bytes);
    return step_back(std::move(secret), network, group, limits::epochs_max, epoch);
}

BoxSecret earlier_epoch_secret(const BoxSecret& secret, const NetworkId& network, OfficeId group,
                               std::uint16_t from, std::uint16_t earlier) {
    return step_back(secret.duplicate(), network, group, from, earlier);
}

}  // namespace fieldpost::crypto
