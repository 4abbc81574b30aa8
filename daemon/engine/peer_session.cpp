#include "daemon/engine/peer_session.h"

#include <fmt/format.h>

#include "crypto/box.h"
#include "crypto/register_seal.h"
#include "crypto/sealed_record.h"
#include "daemon/engine/registers.h"
#include "daemon/engine/self_check.h"

namespace fieldpost::engine {

namespace {

constexpr std::size_t summary_frame_bytes = limits::control_frame_bytes_max / 2;
constexpr std::size_t incoming_streams_max = 16;
// A peer that breaks the protocol this often on one link loses it.
constexpr int offences_max = 8;
// Up to this many offices, fingerprints of all leaves go into HELLO.
constexpr std::size_t inline_offices_max = 64;

}  // namespace

Hash pair_hash(const NetworkId& network, const Digest& a, const Digest& b) {
    return crypto::hash("settled", network, {std::min(a, b).view(), std::max(a, b).view()});
}

Hash own_hash(const NetworkId& network, const Digest& digest) {
    return crypto::hash("settled-own", network, {digest.view()});
}

void PeerSession::send(Outcome& out, const Frame& frame) {
    auto bytes = encode_frame(frame);
    if (is_data(frame)) {
        data_sent_ += bytes.size();
    }
    out.send.push_back({link_, std::move(bytes)});
}

void PeerSession::close(Outcome& out, std::string reason) {
    out.notify.emplace_back(CloseLink{link_, std::move(reason)});
}

void PeerSession::offend(Ledger& ledger, Now now, Outcome& out, const std::string& how) {
    ++offences_;
    if (offences_ == 1) {
        storage::Event event;
        event.at = ledger.wall(now);
        event.what = static_cast<std::uint8_t>(What::offender);
        event.how = static_cast<std::uint8_t>(How::link);
        event.office = peer_;
        event.detail = how;
        ledger.note(std::move(event), out.notify);
    }
    if (offences_ >= offences_max) {
        close(out, how);
    }
}

// --- meeting -------------------------------------------------------------------------------------

LeafFingerprint PeerSession::fingerprint(Ledger& ledger, OfficeId office, std::uint32_t number) {
    LeafFingerprint result;
    const auto* peer = ledger.roster().find(peer_);
    const auto& leaves = ledger.leaves();
    const auto leaf = leaves.find(office);
    if (peer == nullptr || leaf == leaves.end()) {
        return result;
    }
    // Secret from authors, known to both ends: nobody can prepare two leaves that look alike.
    const auto shared = crypto::shared_secret(ledger.config().machine->link.secret, peer->link);
    if (!shared) {
        return result;
    }
    ByteWriter salt;
    salt.u32(number);
    const auto digest = crypto::keyed_hash(shared->view(), "leaf-fingerprint", ledger.network(),
                                           {salt.bytes(), leaf->second.view()});
    std::ranges::copy(digest.first(LeafFingerprint::size), result.bytes.begin());
    return result;
}

Result<void> PeerSession::greet(Ledger& ledger, Now now, Outcome& out) {
    Hello hello;
    hello.roster_version = ledger.roster().version();
    hello.roster_head = short_hash(ledger.roster().head());
    hello.digest = ledger.digest();
    const auto& remembered = ledger.peer(peer_);
    hello.fingerprint_number = remembered.fingerprint_number;
    const auto& leaves = ledger.leaves();
    const bool is_remembered = remembered.settled_own == own_hash(ledger.network(), hello.digest);
    if (!is_remembered && leaves.size() <= inline_offices_max) {
        for (const auto& [office, leaf] : leaves) {
            hello.leaf_fingerprints.resize(value_of(office));
            hello.leaf_fingerprints.push_back(
                fingerprint(ledger, office, hello.fingerprint_number));
        }
    }
    hello.credit_bytes = credit_bytes;
    hello.clock = ledger.wall(now);
    hello.clock_doubtful = ledger.meta().doubtful;
    hello.carries = ledger.config().carries;
    send(out, hello);
    return ok();
}

void PeerSession::tell_leaves(Ledger& ledger, const std::vector<OfficeId>& offices, bool whole,
                              Outcome& out) {
    Summary summary;
    std::size_t size = 0;
    const auto flush = [&] {
        send(out, summary);
        summary.leaves.clear();
        size = 0;
    };
    for (const auto office : offices) {
        auto leaf = ledger.summary_of(office);
        const auto leaf_size = encode_frame(Summary{false, {leaf}}).size();
        if (size + leaf_size > summary_frame_bytes) {
            flush();
        }
        size += leaf_size;
        summary.leaves.push_back(std::move(leaf));
        told_.insert(office);
    }
    // Only the last frame can say that all was said.
    summary.whole = whole;
    if (whole || !summary.leaves.empty()) {
        flush();
    }
    told_whole_ = told_whole_ || whole;
}

// The changes that the peer does not have, and who could sign what comes after them.
void PeerSession::send_roster(const Ledger& ledger, Outcome& out) {
    RosterNews news;
    std::size_t size = 0;
    for (auto i = theirs_->roster_version; i < ledger.roster().version(); ++i) {
        news.changes.push_back(ledger.roster_changes()[i]);
        size += encode_roster_change(news.changes.back()).size();
        if (size > summary_frame_bytes) {
            send(out, std::exchange(news, {}));
            size = 0;
        }
    }
    if (!news.changes.empty()) {
        send(out, news);
    }
    theirs_->roster_version = std::max(theirs_->roster_version, ledger.roster().version());
}

Result<void> PeerSession::on(Ledger& ledger, const Hello& hello, Now now, Outcome& out) {
    if (hello.version_min > protocol_version || hello.version_max < protocol_version) {
        close(out, fmt::format("speaks versions {} to {}, not {}", hello.version_min,
                               hello.version_max, protocol_version));
        return ok();
    }
    theirs_ = hello;
    if (!hello.clock_doubtful) {
        ledger.hear_clock(peer_, hello.clock, now);
    }
    auto& remembered = ledger.edit_peer(peer_);
    remembered.heard = ledger.wall(now);
    remembered.met = ledger.wall(now);
    remembered.fingerprint_number =
        std::max(remembered.fingerprint_number, hello.fingerprint_number);
    send_roster(ledger, out);
    custody_due_ = true;
    const auto digest = ledger.digest();
    their_digest_ = hello.digest;
    const bool we_remember = remembered.settled_own == own_hash(ledger.network(), digest);
    // A peer that sends fingerprints does not remember; then our memory is worth nothing either.
    if (hello.digest == digest ||
        (we_remember && hello.leaf_fingerprints.empty() &&
         remembered.settled == pair_hash(ledger.network(), digest, hello.digest))) {
        is_in_step_ = true;
        return ok();
    }
    if (hello.leaf_fingerprints.empty()) {
        // It took its digest for settled. If we sent fingerprints it will answer them; if we did
        // not, one of the two memories is gone.
        if (we_remember || ledger.leaves().size() > inline_offices_max) {
            std::vector<OfficeId> all;
            for (const auto& [office, leaf] : ledger.leaves()) {
                all.push_back(office);
            }
            tell_leaves(ledger, all, true, out);
        }
        return ok();
    }
    const bool is_comparable = hello.fingerprint_number == remembered.fingerprint_number;
    std::vector<OfficeId> differing;
    const auto offices = ledger.leaves();
    for (const auto& [office, leaf] : offices) {
        const auto index = value_of(office);
        const auto theirs = index < hello.leaf_fingerprints.size() ? hello.leaf_fingerprints[index]
                                                                   : LeafFingerprint{};
        if (!is_comparable || theirs != fingerprint(ledger, office, hello.fingerprint_number)) {
            differing.push_back(office);
        }
    }
    tell_leaves(ledger, differing, false, out);
    return ok();
}

Result<void> PeerSession::on(Ledger& ledger, const RosterNews& news, Now now, Outcome& out) {
    for (const auto& change : news.changes) {
        if (ledger.roster().contradicts(change)) {
            ledger.edit_meta().roster_frozen = true;
            storage::Event event;
            event.at = ledger.wall(now);
            event.what = static_cast<std::uint8_t>(What::roster_conflict);
            ledger.note(std::move(event), out.notify);
            return ok();
        }
        const bool joins_heads = std::ranges::any_of(change.statements, [](const auto& statement) {
            return std::holds_alternative<JoinHeads>(statement);
        });
        if (change.version <= ledger.roster().version() ||
            (ledger.meta().roster_frozen && !joins_heads)) {
            continue;
        }
        if (const auto applied = ledger.apply_roster_change(change, now); !applied) {
            offend(ledger, now, out, applied.error().detail);
            return ok();
        }
        ledger.edit_meta().roster_frozen = false;
        storage::Event event;
        event.at = ledger.wall(now);
        event.what = static_cast<std::uint8_t>(What::roster);
        event.office = peer_;
        ledger.note(std::move(event), out.notify);
    }
    return ok();
}

void PeerSession::compare(Ledger& ledger, const LeafSummary& leaf, Outcome& out) {
    std::map<LogKey, const LogSummary*> theirs;
    for (const auto& log : leaf.logs) {
        const LogKey key{leaf.office, log.incarnation, log.record_class};
        theirs.emplace(key, &log);
        their_partials_[key] = log.partials;
        they_have_[key] = log.not_wanted;
        if (const auto prove = unknown_number(ledger, key, log.not_wanted)) {
            is_in_question_ = true;
            send(out, *prove);
        }
    }
    for (auto at = ledger.logs().lower_bound(LogKey{leaf.office, {}, {}});
         at != ledger.logs().end() && at->first.author == leaf.office; ++at) {
        const auto found = theirs.find(at->first);
        auto lacking = at->second.held;
        if (found != theirs.end()) {
            lacking.remove(found->second->not_wanted);
        }
        large_.erase(at->first);
        // What is on its way need not be sent again, unless they have forgotten it since.
        for (const auto& [stream, outgoing] : outgoing_) {
            if (outgoing.log == at->first) {
                lacking.remove(outgoing.record.run);
            }
        }
        for (const auto& sent : unacknowledged_) {
            if (sent.log == at->first) {
                lacking.remove(sent.run);
            }
        }
        if (lacking.empty()) {
            to_send_.erase(at->first);
        } else {
            to_send_[at->first] = std::move(lacking);
        }
    }
    std::map<RegisterKey, const RegisterSummary*> known;
    for (const auto& entry : leaf.registers) {
        const bool is_of_authority =
            entry.kind == static_cast<std::uint8_t>(RegisterKind::epoch_slots);
        known.emplace(RegisterKey{is_of_authority ? authority_signer : leaf.office, entry.kind,
                                  entry.subject},
                      &entry);
    }
    for (const auto* entry : ledger.registers_in_leaf(leaf.office)) {
        const auto found = known.find(entry->key);
        const bool is_newer = found == known.end() || entry->version > found->second->version ||
                              (entry->version == found->second->version &&
                               ledger.register_hash(entry->key) > found->second->hash);
        if (is_newer) {
            registers_to_send_.insert(entry->key);
        } else {
            registers_to_send_.erase(entry->key);
        }
    }
}

Result<void> PeerSession::on(Ledger& ledger, const Summary& summary, Outcome& out) {
    if (!theirs_) {
        return ok();
    }
    has_summary_ = true;
    is_in_step_ = false;
    std::set<OfficeId> named;
    std::vector<OfficeId> untold;
    const auto heard_of = [&](const LeafSummary& leaf) {
        if (ledger.roster().find(leaf.office) == nullptr) {
            return;
        }
        compare(ledger, leaf, out);
        if (leaf.office == peer_) {
            // We differ about its own records. If it is because it lost some, this shows it.
            custody_due_ = custody_repeated_ = true;
        }
        if (!told_.contains(leaf.office)) {
            untold.push_back(leaf.office);
        }
    };
    for (const auto& leaf : summary.leaves) {
        named.insert(leaf.office);
        heard_of(leaf);
    }
    if (summary.whole) {
        for (const auto& [office, entry] : ledger.roster().offices()) {
            if (!named.contains(office)) {
                heard_of(LeafSummary{office, {}, {}});
            }
        }
    }
    tell_leaves(ledger, untold, false, out);
    return ok();
}

// --- receiving -----------------------------------------------------------------------------------

Result<void> PeerSession::receive(Ledger& ledger, BytesView bytes, Now now,
                                  const Elsewhere& elsewhere, Outcome& out) {
    auto frame = decode_frame(bytes);
    if (!frame) {
        if (frame.error().code != Errc::unsupported) {
            offend(ledger, now, out, frame.error().detail);
        }
        return ok();
    }
    if (is_data(*frame)) {
        data_received_ += bytes.size();
    }
    if (const auto* hello = std::get_if<Hello>(&*frame)) {
        return on(ledger, *hello, now, out);
    }
    if (const auto* news = std::get_if<RosterNews>(&*frame)) {
        return on(ledger, *news, now, out);
    }
    if (const auto* summary = std::get_if<Summary>(&*frame)) {
        return on(ledger, *summary, out);
    }
    if (const auto* news = std::get_if<RegisterNews>(&*frame)) {
        return on(ledger, *news, now, out);
    }
    if (const auto* news = std::get_if<RecordNews>(&*frame)) {
        return on(ledger, *news, now, out);
    }
    if (const auto* opened = std::get_if<StreamOpened>(&*frame)) {
        return on(ledger, *opened, now, elsewhere, out);
    }
    if (const auto* resumed = std::get_if<StreamResumed>(&*frame)) {
        return on(ledger, *resumed, elsewhere, out);
    }
    if (const auto* chunk = std::get_if<Chunk>(&*frame)) {
        return on(ledger, *chunk, out);
    }
    if (const auto* skip = std::get_if<Skip>(&*frame)) {
        outgoing_.erase(skip->stream);
        return ok();
    }
    if (const auto* acknowledged = std::get_if<Acknowledged>(&*frame)) {
        // More than was sent is a lie that would only let us send more.
        data_acknowledged_ = std::clamp(acknowledged->bytes, data_acknowledged_, data_sent_);
        return ok();
    }
    if (const auto* settled = std::get_if<Settled>(&*frame)) {
        their_digest_ = settled->digest;
        they_settled_ = true;
        return ok();
    }
    if (const auto* custody = std::get_if<Custody>(&*frame)) {
        const auto taken = take_custody(ledger, *custody, now, out.notify);
        if (!taken && taken.error().code == Errc::untrusted) {
            offend(ledger, now, out, taken.error().detail);
            return ok();
        }
        if (const auto& prove = TRY(taken)) {
            send(out, *prove);
        }
        return ok();
    }
    if (const auto* proof = std::get_if<RecordProof>(&*frame)) {
        return check_proof(ledger, *proof, peer_, now, out.notify);
    }
    if (const auto* prove = std::get_if<Prove>(&*frame)) {
        return on(ledger, *prove, out);
    }
    return ok();
}

Result<void> PeerSession::on(Ledger& ledger, const RegisterNews& news, Now now, Outcome& out) {
    for (const auto& entry : news.registers) {
        const auto taken = take_register(ledger, entry, peer_, now, out.notify);
        if (taken) {
            if (taken->prove) {
                send(out, *taken->prove);
            }
            // It has what it sent; if that is older than ours, it is still to get ours.
            const auto* newest = ledger.newest(entry.key);
            if (newest != nullptr && *newest == entry) {
                registers_to_send_.erase(entry.key);
            }
            continue;
        }
        switch (taken.error().code) {
            case Errc::corrupt:
            case Errc::unavailable:
                return std::unexpected(taken.error());
            case Errc::unsupported:
                break;
            default:
                offend(ledger, now, out, taken.error().detail);
        }
    }
    return ok();
}

Result<void> PeerSession::judged(Ledger& ledger, const Arriving& record, Verdict verdict, Now now,
                                 Outcome& out) {
    if (verdict == Verdict::forged) {
        offend(ledger, now, out, "a record whose signature does not verify");
    }
    if (verdict == Verdict::ours) {
        const auto& log = record.header.log;
        stop_writing(ledger, peer_,
                     storage::ReportKey{log.author,
                                        {log.incarnation, log.record_class, record.header.number}},
                     now, out.notify);
    }
    has_put_off_ = has_put_off_ || verdict == Verdict::no_space;
    if (verdict == Verdict::no_space && !std::exchange(was_full_, true)) {
        storage::Event event;
        event.at = ledger.wall(now);
        event.what = static_cast<std::uint8_t>(What::disk_full);
        event.office = ledger.us();
        ledger.note(std::move(event), out.notify);
    }
    return ok();
}

void PeerSession::has_sent(const LogKey& log, Interval run) {
    they_have_[log].add(run);
    if (const auto found = to_send_.find(log); found != to_send_.end()) {
        found->second.remove(run);
    }
}

Result<void> PeerSession::take_record(Ledger& ledger, BytesView bytes,
                                      std::optional<Neighbour>& before, Now now, Outcome& out) {
    ByteReader in(bytes);
    const auto header = restore_header(in, before ? &*before : nullptr);
    if (!header) {
        if (header.error().code != Errc::unsupported) {
            offend(ledger, now, out, header.error().detail);
        }
        return ok();
    }
    const auto signature = in.read_array<Signature>();
    if (!signature || in.left() != header->body_bytes || header->body_bytes <= tag_bytes ||
        !BodyShape{header->body_bytes}.is_one_piece()) {
        offend(ledger, now, out, "a record that is not as long as its header says");
        return ok();
    }
    const BodyShape shape{header->body_bytes};
    const auto body = crypto::piece_hash(ledger.network(), shape, in.rest());
    const auto record = arriving(ledger, *header, *signature, body);
    before = Neighbour{record.header, record.id};
    const auto verdict = TRY(judge(ledger, record, peer_, now, out.notify));
    if (verdict == Verdict::wanted) {
        TRY(keep(ledger, record, {to_bytes(in.rest()), {}}, peer_, now, out.notify));
        custody_due_ = custody_due_ || header->log.author == peer_;
        has_sent(header->log, header->run());
    }
    return judged(ledger, record, verdict, now, out);
}

Result<void> PeerSession::on(Ledger& ledger, const RecordNews& news, Now now, Outcome& out) {
    std::optional<Neighbour> before;
    for (const auto& bytes : news.records) {
        TRY(take_record(ledger, bytes, before, now, out));
    }
    return ok();
}

Result<void> PeerSession::on(Ledger& ledger, const StreamOpened& opened, Now now,
                             const Elsewhere& elsewhere, Outcome& out) {
    ByteReader in(opened.elided_header);
    const auto header = restore_header(in, nullptr);
    if (!header || !in.at_end() || incoming_.contains(opened.stream) ||
        incoming_.size() >= incoming_streams_max) {
        if (header || header.error().code != Errc::unsupported) {
            offend(ledger, now, out, "a stream that cannot be");
        }
        send(out, Skip{opened.stream, SkipReason::refused});
        return ok();
    }
    const auto record = arriving(ledger, *header, opened.signature, opened.body_hash);
    const auto verdict = TRY(judge(ledger, record, peer_, now, out.notify));
    if (verdict != Verdict::wanted) {
        send(out, Skip{opened.stream,
                       verdict == Verdict::known ? SkipReason::have : SkipReason::refused});
        return judged(ledger, record, verdict, now, out);
    }
    if (elsewhere(record.id)) {
        skipped_elsewhere_.insert(header->log.author);
        send(out, Skip{opened.stream, SkipReason::elsewhere});
        return ok();
    }
    Incoming incoming;
    incoming.record = record;
    const auto partial = ledger.partials().find(record.id);
    if (partial != ledger.partials().end()) {
        incoming.partial = partial->second;
    } else {
        incoming.partial.id = record.id;
        incoming.partial.blob = ledger.next_blob();
        incoming.partial.since = ledger.wall(now);
        incoming.partial.signature = record.signature;
        incoming.partial.header = encode_header(record.header);
        incoming.partial.body_hash = record.body_hash;
    }
    incoming.is_touched = true;
    incoming_.emplace(opened.stream, std::move(incoming));
    return ok();
}

Result<void> PeerSession::on(Ledger& ledger, const StreamResumed& resumed,
                             const Elsewhere& elsewhere, Outcome& out) {
    const auto partial = ledger.partials().find(resumed.id);
    if (partial == ledger.partials().end() || incoming_.contains(resumed.stream) ||
        incoming_.size() >= incoming_streams_max) {
        send(out, Skip{resumed.stream, SkipReason::have});
        return ok();
    }
    const auto header = TRY(decode_header(partial->second.header));
    if (elsewhere(resumed.id)) {
        skipped_elsewhere_.insert(header.log.author);
        send(out, Skip{resumed.stream, SkipReason::elsewhere});
        return ok();
    }
    Incoming incoming;
    incoming.record = {header, partial->second.signature, partial->second.body_hash, resumed.id};
    incoming.partial = partial->second;
    incoming_.emplace(resumed.stream, std::move(incoming));
    return ok();
}

// The list is checked whole before any segment is kept, so a carrier can spoil one segment at most.
bool PeerSession::check_part(const Ledger& ledger, Incoming& incoming, std::uint32_t part,
                             BytesView bytes, BytesView list) const {
    const BodyShape shape{incoming.record.header.body_bytes};
    const auto& network = ledger.network();
    if (shape.is_one_piece()) {
        return crypto::piece_hash(network, shape, bytes) == incoming.record.body_hash;
    }
    if (part == 1) {
        return crypto::hash("segments", network, {bytes}) == incoming.record.body_hash;
    }
    return equal(crypto::piece_hash(network, shape, bytes).view(),
                 list.subspan((part - 2) * Hash::size, Hash::size));
}

Result<void> PeerSession::on(Ledger& ledger, const Chunk& chunk, Outcome& out) {
    const auto found = incoming_.find(chunk.stream);
    // Chunks that were under way when we skipped their stream are no offence.
    if (found == incoming_.end() || found->second.is_whole) {
        return ok();
    }
    auto& incoming = found->second;
    auto& partial = incoming.partial;
    const BodyShape shape{incoming.record.header.body_bytes};
    const auto give_up = [&] {
        send(out, Skip{chunk.stream, SkipReason::bad});
        has_put_off_ = true;
        incoming_.erase(found);
        return ok();
    };
    if (chunk.part > part_count(shape) || partial.checked.contains(chunk.part)) {
        return give_up();
    }
    const auto size = part_size(shape, chunk.part);
    if (chunk.part != partial.prefix_part) {
        partial.prefix_part = chunk.part;
        partial.prefix.clear();
    }
    if (chunk.offset != partial.prefix.size() || chunk.bytes.size() > size - chunk.offset) {
        return give_up();
    }
    partial.prefix.insert(partial.prefix.end(), chunk.bytes.begin(), chunk.bytes.end());
    incoming.is_touched = true;
    if (partial.prefix.size() < size) {
        return ok();
    }
    Bytes list;
    if (!shape.is_one_piece() && chunk.part > 1) {
        if (!partial.checked.contains(1)) {
            return give_up();
        }
        const auto stored = TRY(ledger.store().part(partial.blob, 1));
        if (!stored) {
            // The list came in this very batch: the store will show it in the next.
            return fail(Errc::corrupt, "store: a list of segments is not there");
        }
        list = *stored;
    }
    if (!check_part(ledger, incoming, chunk.part, partial.prefix, list)) {
        // Thrown away; the record is asked for again by the next summary.
        partial.prefix.clear();
        partial.prefix_part = 0;
        ledger.put_partial(partial);
        return give_up();
    }
    ledger.write(storage::PutPart{partial.blob, chunk.part, std::move(partial.prefix)});
    partial.prefix.clear();
    partial.prefix_part = 0;
    partial.checked.add(chunk.part);
    incoming.is_whole = partial.checked.contains_all({1, part_count(shape)});
    return ok();
}

Result<void> PeerSession::on(Ledger& ledger, const Prove& prove, Outcome& out) {
    const auto record =
        TRY(ledger.store().record(prove.log, prove.number, storage::StoreView::Body::yes));
    if (!record || record->id.is_zero()) {
        return ok();
    }
    const auto header = TRY(decode_header(record->header));
    const BodyShape shape{header.body_bytes};
    Bytes body = record->body;
    std::vector<Hash> pieces;
    if (record->blob != storage::Blob{} && !shape.is_one_piece()) {
        const auto list = TRY(ledger.store().part(record->blob, 1));
        ByteReader in(*list);
        while (!in.at_end()) {
            pieces.push_back(TRY(in.read_array<Hash>()));
        }
    } else {
        if (record->blob != storage::Blob{}) {
            body = *TRY(ledger.store().part(record->blob, 1));
        }
        pieces = crypto::piece_hashes(ledger.network(), shape, body);
    }
    RecordProof proof;
    proof.key = key_part_of(header);
    proof.header_rest = crypto::header_rest_hash(ledger.network(), record->header);
    proof.body = crypto::body_hash(ledger.network(), shape, pieces);
    proof.signature = record->signature;
    send(out, proof);
    return ok();
}

Result<bool> PeerSession::finish_streams(Ledger& ledger, Now now, std::vector<Notice>& notify) {
    bool any = false;
    for (auto at = incoming_.begin(); at != incoming_.end();) {
        auto& incoming = at->second;
        if (!incoming.is_whole) {
            if (std::exchange(incoming.is_touched, false)) {
                ledger.put_partial(incoming.partial);
            }
            ++at;
            continue;
        }
        const auto& header = incoming.record.header;
        // It may have come by another path meanwhile.
        if (TRY(judge(ledger, incoming.record, peer_, now, notify)) == Verdict::wanted) {
            TRY(keep(ledger, incoming.record, {{}, incoming.partial.blob}, peer_, now, notify));
            custody_due_ = custody_due_ || header.log.author == peer_;
            any = true;
        } else {
            ledger.write(storage::DropParts{incoming.partial.blob,
                                            part_count(BodyShape{header.body_bytes})});
        }
        ledger.drop_partial(incoming.record.id);
        has_sent(header.log, header.run());
        at = incoming_.erase(at);
    }
    return any;
}

bool PeerSession::is_bringing(const RecordId& id) const {
    return std::ranges::any_of(incoming_,
                               [&](const auto& entry) { return entry.second.record.id == id; });
}

void PeerSession::end_skips(Ledger& ledger, Outcome& out) {
    const auto offices = std::exchange(skipped_elsewhere_, {});
    tell_leaves(ledger, {offices.begin(), offices.end()}, false, out);
}

}  // namespace fieldpost::engine
