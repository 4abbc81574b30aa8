// Answers to those who ask which office owes a report.
#include <fmt/format.h>

#include "daemon/runtime/answering.h"
#include "daemon/runtime/coverage.h"
#include "proto/control.pb.h"

namespace fieldpost::runtime {

using engine::Ledger;

namespace {

// A part goes on behind an office of one expectation; or with an expectation, if no office is
// named.
struct Part {
    std::uint32_t expectation = 0;
    std::string behind{};
};

std::string encode_part(const Part& part) {
    ByteWriter out;
    out.u32(part.expectation);
    out.raw(as_bytes(part.behind));
    return std::string(as_text(out.bytes()));
}

Result<Part> decode_part(BytesView bytes) {
    if (bytes.empty()) {
        return Part{};
    }
    ByteReader in(bytes);
    Part part;
    part.expectation = TRY(in.read_u32());
    part.behind = as_text(in.rest());
    return part;
}

std::string_view word_of(Every every) {
    constexpr std::array<std::string_view, 3> words = {"day", "week", "month"};
    return words[static_cast<std::size_t>(every)];
}

}  // namespace

Answered coverage(const Ledger& ledger, const wire::CoverageRequest& request,
                  const Surroundings& around) {
    auto& coverage = *around.coverage;
    const auto& all = coverage.expectations();
    const auto is_asked = [&](const Expectation& expectation) {
        return request.type().empty() || expectation.type == request.type();
    };
    if (!request.type().empty() && std::ranges::none_of(all, is_asked)) {
        return complain(exit_not_found, "not_found",
                        fmt::format("no report of type {} is expected here", request.type()),
                        "see [[expect]] in fieldpost.toml");
    }
    if (ledger.config().mail == nullptr) {
        return locked();
    }
    const auto part = decode_part(as_bytes(request.from()));
    if (!part) {
        return complain(exit_invalid, "invalid", "this is no part of a coverage",
                        "begin again without it");
    }
    const auto now = ledger.wall(around.now);
    std::optional<WallTime> since;
    if (request.has_since_unix_s()) {
        since = WallTime::from_unix(request.since_unix_s());
        if (const auto reached = coverage.reach_back_to(*since, request.type(), now); !reached) {
            return complain(exit_invalid, "invalid", reached.error().detail,
                            "give a later --since, or one --type");
        }
    }
    wire::Answer answer;
    auto& told = *answer.mutable_coverage();
    if (!ASK(or_complain(coverage.catch_up(ledger, now, around.is_spent)))) {
        told.set_is_looking(true);
        told.set_looked_at(coverage.looked_at());
        return encode(answer);
    }
    int cells = 0;
    for (auto i = part->expectation; i < all.size(); ++i) {
        if (!is_asked(all[i])) {
            continue;
        }
        auto& expected = *told.add_expected();
        expected.set_type(all[i].type);
        expected.set_from(all[i].from);
        expected.set_every(std::string(word_of(all[i].every)));
        expected.set_due_s(all[i].due_seconds);
        const auto offices = coverage.offices(ledger, i);
        expected.set_is_nobody(is_nobody(ledger, all[i].from));
        for (const auto& office : offices) {
            if (i == part->expectation && !part->behind.empty() && office <= part->behind) {
                continue;
            }
            for (const auto& cell : coverage.cells(ledger, i, office, since, now)) {
                ++cells;
                auto& one = *expected.add_cells();
                one.set_office(office);
                one.set_period(period_text(all[i].every, cell.period));
                one.set_due_unix_s(unix_of(cell.due));
                one.set_state(std::string(name_of(cell.state)));
                for (const auto& report : cell.reports) {
                    one.add_ids(engine::printed_id(ledger, report));
                }
            }
            if (cells >= page_items_max || around.is_spent()) {
                answer.set_next_part(encode_part({static_cast<std::uint32_t>(i), office}));
                return encode(answer);
            }
        }
    }
    return encode(answer);
}

}  // namespace fieldpost::runtime
