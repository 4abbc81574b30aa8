#include "tests/simulation/lies.h"

#include "crypto/register_seal.h"

namespace fieldpost::tests {

Register receipt_of(World& world, Node of, Node signer, const IntervalSet& received,
                    std::uint64_t counter) {
    const LogKey log{world.keys(hyesan).index, {1, 7}, RecordClass::normal};
    std::vector<ShortHash> ids;
    for (const auto run : received.intervals()) {
        const auto id = world.read_from(hyesan, [&](const storage::RecordStore&) {
            return world.ledger(hyesan).held_id(log, run.last);
        });
        ids.push_back(short_hash(id.value()));
    }
    Receipt receipt;
    receipt.logs.push_back({log.incarnation,
                            log.record_class,
                            crypto::hash_of_tops(world.network().id(), ids),
                            received,
                            {},
                            {}});
    Register entry;
    entry.key = {world.keys(of).index, static_cast<std::uint8_t>(RegisterKind::receipt),
                 receipt_subject(world.keys(hyesan).index)};
    entry.version = {{1, 7}, counter};
    entry.at = founded_at.plus(60);
    entry.payload = encode_receipt(receipt);
    crypto::sign_register(world.keys(signer).machine.identity, world.network().id(), entry);
    return entry;
}

Register office_register(const World& world, Node of, const OfficeStatement& statement) {
    Register entry;
    entry.key = {world.keys(of).index, static_cast<std::uint8_t>(RegisterKind::office), {}};
    entry.version = {{1, 7}, 900};
    entry.at = founded_at.plus(3600);
    entry.payload = encode_office_statement(statement);
    crypto::sign_register(world.keys(of).machine.identity, world.network().id(), entry);
    return entry;
}

Custody custody_signed_by(const World& world, Node of, Node signer, std::uint64_t counter) {
    const auto& log =
        world.ledger(hyesan).log({world.keys(hyesan).index, {1, 7}, RecordClass::normal});
    Custody custody;
    custody.signer = world.keys(of).index;
    custody.version = {{1, 7}, counter};
    custody.author = world.keys(hyesan).index;
    custody.at = founded_at.plus(60);
    custody.logs.push_back(
        {{1, 7},
         RecordClass::normal,
         crypto::hash_of_tops(world.network().id(), {short_hash(log.published_id)}),
         IntervalSet{{log.published, log.published}}});
    crypto::sign_custody(world.keys(signer).machine.identity, world.network().id(), custody);
    return custody;
}

std::vector<Frame> has_everything(const World& world, Node of, Node signer) {
    LeafSummary leaf;
    leaf.office = world.keys(hyesan).index;
    leaf.logs.push_back({{1, 7}, RecordClass::normal, {{1, 1'000'000}}, {}});
    const Summary summary{true, {leaf}};
    ByteWriter sized;
    sized.sized(encode_frame(summary));
    BundleHead head;
    head.writer = world.keys(of).index;
    head.version = {{1, 7}, 1'000'000};
    head.at = founded_at.plus(60);
    head.summary = crypto::hash("bundle-summary", world.network().id(), {sized.bytes()});
    crypto::sign_bundle_head(world.keys(signer).machine.identity, world.network().id(), head);
    return {head, summary};
}

}  // namespace fieldpost::tests
