#include "daemon/engine/bundle/bundle_intake.h"

#include <fmt/format.h>

#include "crypto/register_seal.h"
#include "crypto/sealed_record.h"
#include "daemon/engine/bundle/bundle_knowledge.h"
#include "daemon/engine/membership/roster_news.h"
#include "daemon/engine/registers.h"
#include "daemon/engine/self_check.h"
#include "proto/limits.h"

namespace fieldpost::engine {

namespace {

// Streams that one cell may open. Our own writer opens one.
constexpr std::size_t streams_max = 16;
// Reasons that are told by name. All others share one more entry.
constexpr std::size_t reasons_max = 16;
// The file's large bodies are noted up to this number. Bodies beyond it are not, so this office
// writes its own copies beside them.
constexpr std::size_t extents_max = 4096;

bool is_of_store(const Error& error) {
    return error.code == Errc::corrupt || error.code == Errc::unavailable ||
           error.code == Errc::storage_full;
}

}  // namespace

void BundleIntake::reject(std::uint64_t reports, const std::string& why) {
    report_.rejected += reports;
    // The writer chooses the numbers in these words, so the number of different reasons is bounded.
    const bool is_told = report_.reasons.size() < reasons_max || report_.reasons.contains(why);
    report_.reasons[is_told ? why : "for other reasons"] += reports;
}

Result<void> BundleIntake::take(Ledger& ledger, BytesView bytes, Now now,
                                std::vector<Notice>& notify) {
    if (!report_.refused.empty()) {
        return ok();
    }
    auto frame = decode_frame(bytes);
    if (!frame) {
        if (frame.error().code != Errc::unsupported) {
            reject(0, frame.error().detail);
        }
        return ok();
    }
    const Step step{ledger, bytes, now, notify};
    return std::visit(
        [&](const auto& one) -> Result<void> {
            if constexpr (is_of_links_only<std::remove_cvref_t<decltype(one)>>) {
                return ok();
            } else {
                return on(step, one);
            }
        },
        *frame);
}

Result<void> BundleIntake::on(const Step& step, const RosterNews& news) {
    const auto& [ledger, bytes, now, notify] = step;
    // The changes continue a newer roster than ours: the bundle was written for other offices.
    if (!news.changes.empty() && news.changes.front().version > ledger.roster().version() + 1) {
        return ok();
    }
    const auto before = ledger.roster().version();
    if (const auto taken = take_roster(ledger, news, via(), now, notify); !taken) {
        reject(0, taken.error().detail);
    }
    report_.brought_roster = report_.brought_roster || ledger.roster().version() != before;
    return ok();
}

Result<void> BundleIntake::on(const Step& step, const Summary& summary) {
    if (head_ && !is_summary_whole_ && summary_.size() + step.bytes.size() <= bundled_bytes_max) {
        summary_.sized(step.bytes);
        is_summary_whole_ = summary.whole;
    }
    return ok();
}

Result<void> BundleIntake::on(const Step& step, const Custody& custody) {
    const auto& [ledger, bytes, now, notify] = step;
    // A bundle has one statement for each author. A statement that needs a proof is not believed,
    // and only peers that are linked now are asked.
    if (custody.author == ledger.us()) {
        const auto taken = take_custody(ledger, custody, via(), now, notify);
        if (!taken && is_of_store(taken.error())) {
            return std::unexpected(taken.error());
        }
    }
    return ok();
}

Result<void> BundleIntake::on(const Step& step, const BundleHead& head) {
    const auto& [ledger, bytes, now, notify] = step;
    const auto* identity = ledger.identity_of(head.writer);
    const auto* writer = ledger.roster().find(head.writer);
    if (head_ || writer == nullptr || identity == nullptr) {
        return ok();
    }
    if (!crypto::verify_bundle_head(*identity, ledger.network(), head)) {
        reject(0, "a signature that does not verify");
        return ok();
    }
    if (head.writer != ledger.us() && !ledger.is_partner(head.writer) && writer->is_member()) {
        report_.refused = fmt::format(
            "it was written by {0}, which is blocked here; that ends "
            "with: fieldpost block {0} --undo",
            writer->name);
        return ok();
    }
    writer_ = head.writer;
    if (head.writer != ledger.us() && !writer->is_member()) {
        // Nothing that it says of itself counts. What it wrote before it was cut off, and what
        // others signed, still comes in.
        report_.writer = head.writer;
        report_.at = head.at;
        return ok();
    }
    head_ = head;
    report_.writer = head.writer;
    report_.at = head.at;
    report_.targets = head.targets;
    report_.place = head.place;
    if (head.writer != ledger.us()) {
        ledger.heard_of(head.writer, head.at, now);
        auto& peer = ledger.edit_peer(head.writer);
        peer.met = std::max(peer.met, std::min(head.at, ledger.wall(now)));
        peer.roster_version = std::max(peer.roster_version, head.roster_version);
    }
    return ok();
}

void BundleIntake::Extent::advance(std::size_t bytes) {
    offset += bytes;
    if (offset == part_size(shape, part)) {
        ++part;
        offset = 0;
    }
}

// Notes that this file holds a body in one piece, or that a body in segments begins here.
Result<bool> BundleIntake::measure(const Ledger& ledger, const Arriving& record, Verdict verdict) {
    const auto& header = record.header;
    const auto* author = ledger.roster().find(header.log.author);
    const bool is_held = ledger.log(header.log).held.contains_all(header.run());
    // judge() does not verify the signature of a record that is already known, so it is verified
    // here.
    if ((verdict != Verdict::known && verdict != Verdict::wanted) ||
        (verdict == Verdict::known &&
         (!is_held || !crypto::verify_record(author->identity, ledger.network(), record.id,
                                             record.signature)))) {
        return false;
    }
    const BodyShape shape{header.body_bytes};
    if (shape.is_one_piece()) {
        holds_[header.log].add(header.run());
    } else if (extents_.size() < extents_max && !extents_.contains(record.id)) {
        Extent extent{header.log, header.run(), shape};
        if (is_held) {
            const auto stored =
                TRY(ledger.store().record(header.log, header.number, storage::WithBody::no));
            extent.held = stored ? std::optional(stored->blob) : std::nullopt;
        }
        extents_.emplace(record.id, extent);
    }
    return true;
}

Result<void> BundleIntake::compare(const Ledger& ledger, const Chunk& chunk) {
    const auto stream = streams_.find(chunk.stream);
    const auto found = stream == streams_.end() ? extents_.end() : extents_.find(stream->second);
    if (found == extents_.end() || !found->second.held || !found->second.is_at(chunk)) {
        return ok();
    }
    auto& body = found->second;
    const auto ours = TRY(ledger.store().part(*body.held, chunk.part));
    const auto rest = ours ? BytesView(*ours).subspan(body.offset) : BytesView{};
    const auto size = chunk.bytes.size();
    // Each comparison reads a part from the disk. So small pieces of a part, and everything after a
    // wrong chunk, are not compared.
    const bool is_large_enough = size >= std::min(rest.size(), limits::segment_bytes);
    if (rest.empty() || !is_large_enough || size > rest.size() ||
        !std::ranges::equal(rest.first(size), chunk.bytes)) {
        body.held.reset();
    } else {
        body.advance(size);
    }
    return ok();
}

void BundleIntake::end(Ledger& ledger) {
    for (const auto& [id, body] : extents_) {
        if (body.part > part_count(body.shape)) {
            holds_[body.log].add(body.run);
        }
    }
    report_.holds = std::exchange(holds_, {});
    if (!head_ || !is_summary_whole_ ||
        crypto::hash("bundle-summary", ledger.network(), {summary_.bytes()}) != head_->summary) {
        return;
    }
    if (head_->writer == ledger.us()) {
        report_.said = said_of(*head_, summary_.bytes());
    } else {
        BundleKnowledge::keep(ledger, *head_, summary_.bytes());
    }
}

Result<void> BundleIntake::on(const Step& step, const RegisterNews& news) {
    const auto& [ledger, bytes, now, notify] = step;
    for (const auto& entry : news.registers) {
        const auto taken = take_register(ledger, entry, via(), now, notify);
        if (taken || taken.error().code == Errc::unsupported) {
            continue;
        }
        if (is_of_store(taken.error())) {
            return std::unexpected(taken.error());
        }
        reject(0, taken.error().detail);
    }
    return ok();
}

void BundleIntake::judged(Ledger& ledger, const Arriving& record, Verdict verdict, Now now,
                          std::vector<Notice>& notify) {
    const auto reports = record.header.run().count();
    switch (verdict) {
        case Verdict::wanted:
            break;
        case Verdict::known: {
            // Held or ended here, or refused before and refused again.
            const auto& log = ledger.log(record.header.log);
            if (!log.is_refused(record.header.run()) || !ledger.config().carries) {
                report_.known += reports;
            } else {
                reject(reports, "it was refused before: no room, or its author may not write it");
            }
            break;
        }
        case Verdict::refused:
            if (ledger.log(record.header.log).is_terminal(record.header.run()) ||
                !ledger.config().carries) {
                report_.known += reports;
            } else {
                reject(reports, "no room, or its author may not write it");
            }
            break;
        case Verdict::forged:
            reject(1, "a signature that does not verify");  // however many it claims to be
            break;
        case Verdict::conflict:
            reject(reports, "another record has its number");
            break;
        case Verdict::ours: {
            const auto& log = record.header.log;
            stop_writing(ledger, via(), storage::report_in(log, record.header.number),
                         log.incarnation, now, notify);
            reject(reports, "this office wrote it and has lost it");
            break;
        }
        case Verdict::no_space:
            reject(reports, "the disk is full");
            break;
    }
}

Result<void> BundleIntake::on(const Step& step, const RecordNews& news) {
    const auto& [ledger, bytes, now, notify] = step;
    RecordReader reader(ledger.network(), news);
    while (const auto read = reader.next()) {
        if (!*read) {
            reject(1, read->error().code == Errc::unsupported ? "of a later release"
                                                              : read->error().detail);
            continue;
        }
        const auto& [record, body] = **read;
        const auto verdict = TRY(judge(ledger, record, via(), now, notify));
        if (verdict == Verdict::wanted) {
            TRY(keep(ledger, record, {to_bytes(body), {}}, via(), now, notify));
            ledger.count_received(record.header.run());
            report_.new_reports += record.header.run().count();
        }
        TRY(measure(ledger, record, verdict));
        judged(ledger, record, verdict, now, notify);
    }
    return ok();
}

// A body is opened again in every cell that has some of it.
Result<void> BundleIntake::on(const Step& step, const StreamOpened& opened) {
    const auto& [ledger, bytes, now, notify] = step;
    streams_.erase(opened.stream);
    const auto read = read_opened(ledger.network(), opened);
    if (!read || streams_.size() >= streams_max) {
        reject(read ? 0 : 1, "a stream that cannot be");
        return ok();
    }
    const auto& record = *read;
    if (bodies_.contains(record.id)) {
        streams_[opened.stream] = record.id;
        return ok();
    }
    const auto verdict = TRY(judge(ledger, record, via(), now, notify));
    if (verdict != Verdict::wanted) {
        if (TRY(measure(ledger, record, verdict))) {
            streams_[opened.stream] = record.id;
        }
        // Told once for each body: all cells of one body follow each other.
        if (std::exchange(last_judged_, record.id) != record.id) {
            judged(ledger, record, verdict, now, notify);
        }
        return ok();
    }
    if (bodies_.size() >= streams_max) {
        // Keeps the bodies that are whole. The others are opened again by the cells that go on with
        // them.
        TRY(finish_bodies(ledger, now, notify));
    }
    bodies_.emplace(record.id, TRY(ArrivingBody::begin(ledger, record, writer_, now)));
    TRY(measure(ledger, record, verdict));
    streams_[opened.stream] = record.id;
    return ok();
}

Result<void> BundleIntake::on(const Step& step, const Chunk& chunk) {
    auto& ledger = step.ledger;
    const auto stream = streams_.find(chunk.stream);
    const auto found = stream == streams_.end() ? bodies_.end() : bodies_.find(stream->second);
    if (found == bodies_.end()) {
        return compare(ledger, chunk);
    }
    if (found->second.is_whole()) {
        return ok();
    }
    const auto extent = extents_.find(stream->second);
    const auto took = TRY(found->second.take(ledger, chunk));
    if (took == ArrivingBody::Took::spoiled) {
        reject(0, "a part of a body that its author did not sign");
    }
    if (took == ArrivingBody::Took::more && extent != extents_.end() &&
        extent->second.is_at(chunk)) {
        extent->second.advance(chunk.bytes.size());
    }
    return ok();
}

Result<bool> BundleIntake::finish_bodies(Ledger& ledger, Now now, std::vector<Notice>& notify) {
    bool any = false;
    for (auto& [id, body] : bodies_) {
        const auto reports = body.record().header.run().count();
        if (body.is_held(ledger)) {
            report_.known += reports;  // a link has brought it meanwhile
        } else if (body.is_terminal(ledger)) {
            body.drop(ledger);
            report_.known += reports;
        } else if (body.has_made_way(ledger)) {
            reject(reports, "too many bodies of its author are under way");
        } else if (!body.is_whole()) {
            body.put_progress(ledger);
        } else {
            const auto verdict = TRY(body.settle(ledger, via(), now, notify));
            if (verdict == Verdict::wanted) {
                report_.new_reports += reports;
                any = true;
            }
            judged(ledger, body.record(), verdict, now, notify);
        }
    }
    // The next cell opens the bodies again that it goes on with.
    bodies_.clear();
    streams_.clear();
    return any;
}

}  // namespace fieldpost::engine
