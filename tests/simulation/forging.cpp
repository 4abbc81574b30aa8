#include "tests/simulation/forging.h"

#include "crypto/bundle_cells.h"
#include "crypto/sealed_record.h"

namespace fieldpost::tests {

Forgery write_as(const World& world, Node author, Node reader, Number number, Report report,
                 std::optional<RecordClass> record_class) {
    report.text = "believe me";
    Header draft;
    draft.log = {world.keys(author).index, {1, 7}, RecordClass::normal};
    draft.number = number;
    draft.kind = static_cast<std::uint8_t>(RecordKind::report);
    if (report.reply_to) {
        draft.log.record_class = RecordClass::reply;
        draft.kind = static_cast<std::uint8_t>(RecordKind::acknowledgement);
    }
    draft.log.record_class = record_class.value_or(draft.log.record_class);
    draft.created = founded_at.plus(60);
    draft.lifetime_seconds = limits::lifetime_seconds_default;
    auto sealed = crypto::seal_record(
                      world.network().id(), world.keys(author).machine.identity.public_key(), draft,
                      {world.keys(reader).recipient()}, {{std::nullopt, encode_report(report)}}, {})
                      .value();
    return {sealed.header, sealed.body};
}

RecordProof proof_of(const World& world, Node signer, const Forgery& forgery) {
    const auto& network = world.network().id();
    RecordProof proof;
    proof.key = key_part_of(forgery.header);
    proof.header_rest = crypto::header_rest_hash(network, encode_header(forgery.header));
    proof.body = crypto::piece_hash(network, BodyShape{forgery.header.body_bytes}, forgery.body);
    proof.signature = crypto::sign_record(world.keys(signer).machine.identity, network,
                                          crypto::record_id(network, proof));
    return proof;
}

Bytes entry_signed_by(const World& world, Node signer, const Forgery& forgery,
                      std::optional<Neighbour>& before) {
    const auto proof = proof_of(world, signer, forgery);
    ByteWriter out;
    out.raw(elide_header(forgery.header, before ? &*before : nullptr));
    out.raw(proof.signature.view());
    out.raw(forgery.body);
    before = Neighbour{forgery.header, crypto::record_id(world.network().id(), proof)};
    return out.take();
}

RecordNews signed_by(const World& world, Node signer, const Forgery& forgery) {
    std::optional<Neighbour> before;
    return {{entry_signed_by(world, signer, forgery, before)}};
}

Bytes stick_with(const World& world, const std::vector<Frame>& frames) {
    crypto::BundleSealer sealer({world.network().founding, world.network().id()});
    Bytes bytes;
    const auto append = [&](const Bytes& more) {
        bytes.insert(bytes.end(), more.begin(), more.end());
    };
    for (const auto& frame : frames) {
        ByteWriter cell;
        cell.sized(encode_frame(frame));
        append(sealer.cell(crypto::BundlePart::rest, cell.bytes()));
    }
    for (auto more = sealer.end(); !more.empty(); more = sealer.end()) {
        append(more);
    }
    return bytes;
}

}  // namespace fieldpost::tests
