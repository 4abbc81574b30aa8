#include "tests/simulation/forging.h"

#include "crypto/bundle_cells.h"
#include "crypto/sealed_record.h"
#include "proto/limits.h"

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

BodyInParts body_signed_by(const World& world, Node signer, Header header, Bytes body) {
    const auto& network = world.network().id();
    header.body_bytes = static_cast<std::uint32_t>(body.size());
    const BodyShape shape{header.body_bytes};
    const auto hashes = crypto::piece_hashes(network, shape, body);
    BodyInParts all;
    all.opened.stream = 1;
    all.opened.elided_header = elide_header(header, nullptr);
    all.opened.body_hash = crypto::body_hash(network, shape, hashes);
    all.id = crypto::record_id(network, header, all.opened.body_hash);
    all.opened.signature =
        crypto::sign_record(world.keys(signer).machine.identity, network, all.id);
    if (shape.is_one_piece()) {
        all.parts.push_back(std::move(body));
    } else {
        ByteWriter list;
        for (const auto& hash : hashes) {
            list.raw(hash.view());
        }
        all.parts.push_back(list.take());
        for (std::uint32_t segment = 0; segment < shape.segment_count(); ++segment) {
            all.parts.push_back(to_bytes(BytesView(body).subspan(shape.segment_offset(segment),
                                                                 shape.segment_size(segment))));
        }
    }
    all.header = std::move(header);
    return all;
}

BodyInParts body_of_nothing(const World& world, Node author, Node reader, Number number,
                            std::size_t size, RecordClass record_class) {
    auto header = write_as(world, author, reader, number, {}, record_class).header;
    return body_signed_by(world, author, std::move(header), Bytes(size, std::byte{0x6e}));
}

Chunk chunk_of(const BodyInParts& body, std::uint32_t part, std::uint32_t offset,
               std::size_t size_max) {
    const auto rest = BytesView(body.parts.at(part - 1)).subspan(offset);
    return {body.opened.stream, part, offset,
            to_bytes(rest.first(std::min(rest.size(), size_max)))};
}

std::vector<Frame> frames_on(const World& world, BytesView stick) {
    crypto::BundleOpener opener({world.network().founding, world.network().id()});
    opener.add(stick);
    opener.finish();
    std::vector<Frame> frames;
    while (const auto cell = opener.next()) {
        ByteReader in(cell->content);
        while (!in.at_end()) {
            frames.push_back(decode_frame(in.read_sized(cell->content.size()).value()).value());
        }
    }
    return frames;
}

std::vector<BodyInParts> bodies_on(const World& world, BytesView stick) {
    std::map<RecordId, BodyInParts> bodies;
    std::map<std::uint32_t, RecordId> streams;
    for (auto& frame : frames_on(world, stick)) {
        if (auto* opened = std::get_if<StreamOpened>(&frame)) {
            ByteReader in(opened->elided_header);
            auto header = restore_header(in, nullptr).value();
            const auto id = crypto::record_id(world.network().id(), header, opened->body_hash);
            streams[opened->stream] = id;
            auto& body = bodies[id];
            body.id = id;
            body.parts.resize(part_count(BodyShape{header.body_bytes}));
            body.header = std::move(header);
            body.opened = std::move(*opened);
        }
        if (const auto* chunk = std::get_if<Chunk>(&frame)) {
            auto& part = bodies.at(streams.at(chunk->stream)).parts.at(chunk->part - 1);
            part.resize(chunk->offset);
            part.insert(part.end(), chunk->bytes.begin(), chunk->bytes.end());
        }
    }
    std::vector<BodyInParts> whole;
    for (auto& [id, body] : bodies) {
        const BodyShape shape{body.header.body_bytes};
        bool is_whole = true;
        for (std::uint32_t part = 1; part <= body.parts.size(); ++part) {
            is_whole = is_whole && body.parts[part - 1].size() == part_size(shape, part);
        }
        if (is_whole) {
            whole.push_back(std::move(body));
        }
    }
    return whole;
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
