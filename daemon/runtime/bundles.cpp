#include "daemon/runtime/bundles.h"

#include <fmt/format.h>

#include "crypto/record_id.h"
#include "crypto/register_seal.h"
#include "crypto/sealed_record.h"
#include "daemon/engine/bundle/bundle_knowledge.h"
#include "daemon/engine/queries.h"
#include "daemon/engine/record/record_frames.h"
#include "daemon/runtime/bookmark.h"
#include "proto/control.pb.h"

namespace fieldpost::runtime {

namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds idle_max = 60s;
// Longer than a slow stick takes for a cell.
constexpr std::chrono::milliseconds gives_way_after = 10s;
constexpr std::size_t open_max = 8;
// A cell of ours has a few large ones.
constexpr std::size_t frames_a_cell_max = 4096;
// As many as a follower looks at (cli/folder/folder_files.h).
constexpr int row_candidates_max = 10'000;

template <class T>
const T* told_of(const std::vector<engine::Notice>& notices, engine::BundleId id) {
    for (const auto& notice : notices) {
        const auto* found = std::get_if<T>(&notice);
        if (found != nullptr && found->bundle == id) {
            return found;
        }
    }
    return nullptr;
}

Complaint gone() {
    return {exit_failed, "failed", "the daemon does not know this bundle any more", "try again"};
}

void describe(const engine::Ledger& ledger, const engine::BundleReport& report,
              wire::BundleRead& told) {
    if (report.writer) {
        told.set_office(engine::printed_name(ledger, *report.writer));
        told.set_is_own(*report.writer == ledger.us());
        told.set_made_unix_s(unix_of(report.at));
    }
    for (const auto target : report.targets) {
        told.add_targets(engine::printed_name(ledger, target));
    }
    told.set_new_reports(report.new_reports);
    told.set_known(report.known);
    told.set_rejected(report.rejected);
    for (const auto& [words, reports] : report.reasons) {
        auto* reason = told.add_reasons();
        reason->set_words(words);
        reason->set_reports(reports);
    }
    told.set_refused(report.refused);
    told.set_brought_roster(report.brought_roster);
    told.set_bookmark(std::string(as_text(engine::encode_runs(report.holds))));
    if (report.writer == ledger.us()) {
        told.set_tail(std::string(as_text(encode(Tail{report.said, report.place}))));
    }
}

void list(const engine::Ledger& ledger, const Header& header, wire::BundleRead& told) {
    auto* record = told.add_records();
    auto id = engine::printed_id(
        ledger,
        {header.log.author, {header.log.incarnation, header.log.record_class, header.number}});
    if (header.count > 1) {
        id.insert(std::min(id.find('~'), id.size()), fmt::format("..{}", header.run().last));
    }
    record->set_id(id);
    record->set_priority(static_cast<wire::Priority>(header.log.record_class));
    record->set_size_bytes(header.body_bytes);
    record->set_is_new(!ledger.log(header.log).known.contains_all(header.run()));
}

// Counted from the logs: a follower asks each second, and reports may be a million.
std::uint64_t urgent_known(const engine::Ledger& ledger) {
    std::uint64_t known = 0;
    for (const auto& [log, state] : ledger.logs()) {
        known += log.record_class == RecordClass::urgent ? state.known.count() : 0;
    }
    return known;
}

// The offices that a bundle is for, each once.
std::expected<std::vector<OfficeId>, Complaint> targets_of(
    const engine::Ledger& ledger, const wire::BundleWriteRequest& request) {
    std::set<OfficeId> targets;
    for (const auto& name : request.offices()) {
        const auto* office = ASK(office_named(ledger, name));
        if (office->index == ledger.us()) {
            return complain(exit_not_found, "not_found",
                            fmt::format("no other office is called {}", name),
                            "see: fieldpost roster");
        }
        if (!office->is_member() && office->state != crypto::OfficeState::invited) {
            return complain(exit_refused, "revoked",
                            fmt::format("{} is no office of this network any more", name),
                            "see: fieldpost roster", {name});
        }
        targets.insert(office->index);
    }
    return std::vector(targets.begin(), targets.end());
}

}  // namespace

struct Bundles::Look {
    const engine::Ledger& ledger;
    Reader& reader;
    wire::BundleRead& told;

    void operator()(const BundleHead& head) const {
        const auto* identity = ledger.identity_of(head.writer);
        if (identity != nullptr && crypto::verify_bundle_head(*identity, ledger.network(), head)) {
            reader.head = head;
        }
    }
    void operator()(const RecordNews& news) const {
        engine::RecordReader records(ledger.network(), news);
        while (const auto read = records.next()) {
            if (*read) {
                list(ledger, (*read)->record.header, told);
            }
        }
    }
    void operator()(const StreamOpened& opened) const {
        const auto record = engine::read_opened(ledger.network(), opened);
        if (record && reader.seen.insert(record->id).second) {
            list(ledger, record->header, told);
        }
    }
    // Nothing of these is listed.
    void operator()(const RosterNews&) const {}
    void operator()(const Summary&) const {}
    void operator()(const RegisterNews&) const {}
    void operator()(const Custody&) const {}
    void operator()(const Chunk&) const {}
    template <class One>
        requires is_of_links_only<One>
    void operator()(const One&) const {}
};

void Bundles::forget_all() {
    readers_.clear();
    writers_.clear();
    given_way_.clear();
    crypto::fill_random(life_.bytes);
}

Bytes Bundles::state_of(const engine::Ledger& ledger) const {
    ByteWriter out;
    out.raw(life_.view());
    out.u64(ledger.releases());
    out.u64(ledger.leaf_edits());
    for (const auto& [office, less] : ledger.had_less()) {
        out.u64(less.all);
        for (const auto& [log, counter] : less.logs) {
            out.u64(counter);
        }
    }
    out.u32(ledger.roster().version());
    out.u16(engine::transport_epoch(ledger));
    return out.take();
}

crypto::BundleKeys Bundles::keys(const engine::Ledger& ledger) {
    crypto::BundleKeys keys(machine_.founding_key, network_);
    if (const auto* newest = transport_.newest(ledger)) {
        keys.add_epochs(newest->secret, newest->epoch, network_);
    }
    return keys;
}

void Bundles::learn_epoch(const engine::Ledger& ledger, Reader& reader, BytesView bytes) {
    const auto frame = decode_frame(bytes);
    const auto* news = frame ? std::get_if<RegisterNews>(&*frame) : nullptr;
    for (const auto& entry : news == nullptr ? std::vector<Register>{} : news->registers) {
        const auto page = decode_epoch_slots(entry);
        if (!page || page->group != transport_group ||
            !crypto::verify_epoch_slots(ledger.roster().founding(), network_, entry)) {
            continue;
        }
        if (const auto secret = engine::transport_secret_on(ledger, *page)) {
            reader.opener.add_epochs(*secret, page->epoch, network_);
        } else {
            const auto* newest = transport_.newest(ledger);
            reader.named_newer_epoch =
                reader.named_newer_epoch || newest == nullptr || page->epoch > newest->epoch;
        }
    }
}

// When all places are taken, the bundle that was idle longest gives way. So a client that only
// holds places keeps nobody out.
bool Bundles::make_room(Now now) {
    if (readers_.size() + writers_.size() < open_max) {
        return true;
    }
    std::map<Instant, engine::BundleId> by_use;
    for (const auto& [id, reader] : readers_) {
        by_use.emplace(reader.used, id);
    }
    for (const auto& [id, writer] : writers_) {
        by_use.emplace(writer.used, id);
    }
    const auto& [used, id] = *by_use.begin();
    if (now.steady - used < gives_way_after) {
        return false;
    }
    readers_.erase(id);
    writers_.erase(id);
    given_way_.push_back(id);
    return true;
}

// Reads a frame as far as that is possible without taking it in.
void Bundles::look(const engine::Ledger& ledger, Reader& reader, BytesView bytes,
                   wire::BundleRead& told) {
    const auto frame = decode_frame(bytes);
    if (!frame) {
        return;
    }
    std::visit(Look{ledger, reader, told}, *frame);
}

Answered Bundles::read(const engine::Ledger& ledger, const wire::BundleReadRequest& request,
                       Now now) {
    auto id = engine::BundleId{request.bundle()};
    if (request.bundle() == 0) {
        if (!make_room(now)) {
            return complain(exit_failed, "busy", "too many bundles are under way",
                            "try again in a minute");
        }
        id = engine::BundleId{next_++};
        readers_.emplace(id, Reader{crypto::BundleOpener(keys(ledger))});
    }
    const auto found = readers_.find(id);
    if (found == readers_.end()) {
        return std::unexpected(gone());
    }
    auto& reader = found->second;
    reader.used = now.steady;
    reader.opener.add(as_bytes(request.content()));
    if (request.is_end()) {
        reader.opener.finish();
    }
    wire::BundleRead told;
    Pending pending;
    while (const auto cell = reader.opener.next()) {
        ByteReader in(cell->content);
        reader.has_second_part = reader.has_second_part || cell->part == crypto::BundlePart::rest;
        for (std::size_t i = 0; i < frames_a_cell_max && !in.at_end(); ++i) {
            const auto frame = in.read_sized(cell->content.size());
            if (!frame || frame->empty()) {
                break;
            }
            if (cell->part == crypto::BundlePart::roster) {
                learn_epoch(ledger, reader, *frame);
            }
            if (request.only_look()) {
                look(ledger, reader, *frame, told);
            } else {
                pending.inputs.emplace_back(engine::BundleFrame{id, to_bytes(*frame)});
            }
        }
    }
    const bool is_over = reader.opener.is_over();
    told.set_bundle(static_cast<std::uint64_t>(id));
    told.set_is_over(is_over);
    told.set_is_bundle(reader.opener.is_bundle());
    told.set_is_whole(reader.opener.is_whole());
    told.set_damaged_bytes(reader.opener.damaged_bytes());
    told.set_lacks_key(reader.lacks_key() && (is_over || request.is_end()) &&
                       reader.opener.damaged_bytes() > 0);
    if (request.only_look() && reader.head) {
        describe(ledger, {reader.head->writer, reader.head->at, reader.head->targets}, told);
    }
    if (request.is_end()) {
        readers_.erase(found);
        if (!request.only_look()) {
            pending.inputs.emplace_back(engine::BundleEnded{id});
        }
    }
    pending.finish = [id, told](const engine::Ledger& after,
                                const std::vector<engine::Notice>& notices) {
        wire::Answer answer;
        *answer.mutable_bundle_read() = told;
        if (const auto* taken = told_of<engine::BundleTaken>(notices, id)) {
            describe(after, taken->report, *answer.mutable_bundle_read());
            answer.mutable_bundle_read()->set_is_over(told.is_over() ||
                                                      !taken->report.refused.empty());
        }
        return encode(answer);
    };
    return pending;
}

Bytes Bundles::end_of_file(const engine::Ledger& ledger, engine::BundleId id, Writer& writer) {
    wire::Answer answer;
    auto& told = *answer.mutable_bundle_write();
    const auto bytes = writer.sealer.end();
    told.set_bundle(static_cast<std::uint64_t>(id));
    told.set_content(std::string(as_text(bytes)));
    told.set_reports(writer.last.reports);
    told.set_left_out(writer.last.left_out);
    told.set_is_short(writer.last.is_short);
    told.set_has_news(writer.last.has_news);
    told.set_is_addition(writer.last.is_addition);
    told.set_name(writer.name);
    if (bytes.empty()) {
        told.set_is_file_end(true);
        told.set_is_over(writer.is_over);
        Tail tail{writer.last.said};
        const auto written = engine::BundleKnowledge::after(writer.last.said);
        if (written.head()) {
            tail.place = written.head()->place;
        }
        told.set_tail(std::string(as_text(encode(tail))));
        told.set_bookmark(std::string(as_text(engine::encode_runs(writer.last.holds))));
        told.set_state(std::string(as_text(writer.state)));
        writer.sealer = crypto::BundleSealer(keys(ledger));
        writer.is_file_ended = false;
        writer.is_new_file = true;
    }
    return encode(answer);
}

Answered Bundles::state(const engine::Ledger& ledger,
                        const wire::FolderStateRequest& request) const {
    wire::Answer answer;
    auto& told = *answer.mutable_folder_state();
    told.set_is_unchanged(to_bytes(as_bytes(request.state())) == state_of(ledger));
    told.set_roster_version(ledger.roster().version());
    told.set_urgent_known(urgent_known(ledger));
    return encode(answer);
}

Answered Bundles::row(const wire::FolderRowRequest& request) {
    if (request.files_size() > row_candidates_max) {
        return complain(exit_invalid, "invalid", "too many files", "name fewer");
    }
    std::vector<NamedTail> files;
    for (const auto& file : request.files()) {
        files.push_back({file.name(), decode_tail(as_bytes(file.tail()))});
    }
    wire::Answer answer;
    for (const auto index : row_among(files)) {
        answer.add_folder_row(static_cast<std::uint32_t>(index));
    }
    return encode(answer);
}

std::expected<engine::BundleId, Complaint> Bundles::begin(const engine::Ledger& ledger,
                                                          const wire::BundleWriteRequest& request,
                                                          Now now, Pending& pending) {
    if (!make_room(now)) {
        return complain(exit_failed, "busy", "too many bundles are under way",
                        "try again in a minute");
    }
    engine::BundleOrder order;
    order.is_all = request.is_all();
    order.has_records = request.has_records();
    order.targets = ASK(targets_of(ledger, request));
    Writer writer{.sealer = crypto::BundleSealer(keys(ledger)), .state = state_of(ledger)};
    for (const auto& bytes : request.others()) {
        engine::add_runs(order.of_others, as_bytes(bytes));
    }
    if (request.has_row()) {
        if (ledger.meta().stopped) {
            // Not even this office would know the file for its own: there would be one more each
            // time.
            return complain_stopped(ledger);
        }
        order.is_in_row = true;
        order.is_only_addition = request.row().is_only_addition();
        for (const auto& bytes : request.row().files()) {
            engine::add_runs(order.in_row, as_bytes(bytes));
        }
        const auto last = decode_tail(as_bytes(request.row().tail()));
        if (engine::is_said_by_us(ledger, last.said)) {
            order.since = last.said;
        }
        if (!last.said.empty()) {
            std::array<std::byte, 2> chance{};
            crypto::fill_random(chance);
            writer.name = name_after(last.said, ByteReader(chance).read_u16().value());
        }
    }
    const auto id = engine::BundleId{next_++};
    writers_.emplace(id, std::move(writer));
    pending.inputs.emplace_back(engine::BundleWanted{id, std::move(order)});
    return id;
}

Answered Bundles::write(const engine::Ledger& ledger, const wire::BundleWriteRequest& request,
                        Now now) {
    Pending pending;
    const auto id = request.bundle() != 0 ? engine::BundleId{request.bundle()}
                                          : ASK(begin(ledger, request, now, pending));
    const auto found = writers_.find(id);
    if (found == writers_.end()) {
        return std::unexpected(gone());
    }
    auto& writer = found->second;
    writer.used = now.steady;
    if (request.is_over()) {
        writers_.erase(found);
        pending.inputs.emplace_back(engine::BundleEnded{id});
        pending.finish = [](const auto&, const auto&) { return encode(wire::Answer{}); };
        return pending;
    }
    if (writer.is_file_ended) {
        return end_of_file(ledger, id, writer);
    }
    const auto room = writer.sealer.room(request.file_bytes_max());
    pending.inputs.emplace_back(engine::BundleMore{id, room.cell, room.file,
                                                   request.may_leave_out(),
                                                   std::exchange(writer.is_new_file, false)});
    pending.finish = [this, id](const engine::Ledger& after,
                                const std::vector<engine::Notice>& notices) {
        const auto* content = told_of<engine::BundleContent>(notices, id);
        const auto at = writers_.find(id);
        if (content == nullptr || at == writers_.end()) {
            return encode(gone());
        }
        auto& one = at->second;
        one.last = *content;
        one.last.content.clear();
        if (content->step != engine::BundleContent::Step::cell) {
            one.is_file_ended = true;
            one.is_over = content->step == engine::BundleContent::Step::over;
            return end_of_file(after, id, one);
        }
        wire::Answer answer;
        auto& told = *answer.mutable_bundle_write();
        told.set_bundle(static_cast<std::uint64_t>(id));
        told.set_content(std::string(as_text(one.sealer.cell(content->part, content->content))));
        told.set_reports(content->reports);
        told.set_left_out(content->left_out);
        told.set_is_short(content->is_short);
        told.set_has_news(content->has_news);
        told.set_name(one.name);
        told.set_left_bytes(content->left_bytes);
        return encode(answer);
    };
    return pending;
}

std::vector<engine::Input> Bundles::forget_idle(Now now) {
    std::vector<engine::Input> inputs;
    for (const auto id : std::exchange(given_way_, {})) {
        inputs.emplace_back(engine::BundleEnded{id});
    }
    const auto is_idle = [&](const auto& entry) {
        const bool idle = now.steady - entry.second.used > idle_max;
        if (idle) {
            inputs.emplace_back(engine::BundleEnded{entry.first});
        }
        return idle;
    };
    std::erase_if(readers_, is_idle);
    std::erase_if(writers_, is_idle);
    return inputs;
}

}  // namespace fieldpost::runtime
