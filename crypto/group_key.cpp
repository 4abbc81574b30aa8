#include "crypto/group_key.h"

#include "crypto/hash.h"

namespace fieldpost::crypto {

namespace {

// The secret xor its pad, which is its own inverse. The pad is used once, because a page that is
// written again has another ephemeral key.
std::array<std::byte, WrappedGroupKey::size> wrap(const SharedSecret& shared, BytesView secret,
                                                  const NetworkId& network, const EpochSlots& page,
                                                  const SlotKey& key) {
    ByteWriter place;
    place.u16(value_of(page.group));
    place.u16(page.epoch);
    place.u16(value_of(key.office));
    place.u16(key.epoch);
    auto pad = keyed_hash(shared.view(), "slot", network,
                          {page.ephemeral.view(), key.prekey.view(), place.bytes()});
    std::array<std::byte, WrappedGroupKey::size> wrapped{};
    for (std::size_t i = 0; i < wrapped.size(); ++i) {
        wrapped[i] = secret[i] ^ pad.bytes[i];
    }
    wipe(pad.bytes);
    return wrapped;
}

}  // namespace

void seal_slots(const NetworkId& network, const BoxKeyPair& group_key, std::vector<SlotKey> keys,
                EpochSlots& page) {
    std::ranges::sort(keys, {}, &SlotKey::office);
    const auto ephemeral = BoxKeyPair::random();
    page.group_key = group_key.public_key;
    page.ephemeral = ephemeral.public_key;
    page.slots.clear();
    for (const auto& key : keys) {
        const auto shared = shared_secret(ephemeral.secret, key.prekey);
        ensure(shared.has_value(), "a slot is sealed to a key that was checked");
        EpochSlots::Slot slot{key.office, key.epoch, {}};
        slot.wrapped.bytes = wrap(*shared, group_key.secret.view(), network, page, key);
        page.slots.push_back(slot);
    }
}

Result<BoxKeyPair> open_slot(const NetworkId& network, const EpochSlots& page, OfficeId office,
                             std::uint16_t epoch, const BoxKeyPair& prekey) {
    const auto slot = std::ranges::find(page.slots, office, &EpochSlots::Slot::office);
    if (slot == page.slots.end() || slot->prekey_epoch != epoch) {
        return fail(Errc::unavailable, "epoch slots: no slot under this key");
    }
    const auto shared = TRY(shared_secret(prekey.secret, page.ephemeral));
    auto secret =
        wrap(shared, slot->wrapped.view(), network, page, {office, epoch, prekey.public_key});
    auto pair = BoxKeyPair::from_secret(BoxSecret::from(secret));
    wipe(secret);
    if (pair.public_key != page.group_key) {
        return fail(Errc::untrusted, "epoch slots: a slot with another key than was told");
    }
    return pair;
}

}  // namespace fieldpost::crypto
