#include "storage/log_state.h"

#include <algorithm>

namespace fieldpost::storage {

void LogState::touch(Interval run) {
    for (auto page = run.first >> number_page_bits; page <= run.last >> number_page_bits; ++page) {
        touched.insert(page);
    }
}

void LogState::hold(Interval run) {
    known.add(run);
    held.add(run);
    for (auto& [reason, numbers] : refused) {
        numbers.remove(run);
    }
    std::erase_if(refused, [](const auto& entry) { return entry.second.empty(); });
    touch(run);
}

void LogState::refuse(std::uint8_t reason, const IntervalSet& numbers) {
    if (!numbers.empty()) {
        known.add(numbers);
        refused[reason].add(numbers);
    }
}

void LogState::release(std::uint8_t reason, const IntervalSet& numbers) {
    const auto found = refused.find(reason);
    if (found == refused.end()) {
        return;
    }
    known.remove(intersection(found->second, numbers));
    found->second.remove(numbers);
    if (found->second.empty()) {
        refused.erase(found);
    }
}

void LogState::let_go(std::uint8_t reason, const IntervalSet& numbers) {
    for (const auto run : numbers.intervals()) {
        touch(run);
    }
    held.remove(numbers);
    refuse(reason, numbers);
}

void LogState::lose(const IntervalSet& numbers) {
    for (const auto run : numbers.intervals()) {
        touch(run);
    }
    held.remove(numbers);
    known.remove(numbers);
}

void LogState::end(const IntervalSet& numbers) {
    known.add(numbers);
    const auto leaving = intersection(held, numbers);
    for (const auto run : leaving.intervals()) {
        touch(run);
    }
    held.remove(numbers);
    for (auto& [reason, refused_numbers] : refused) {
        refused_numbers.remove(numbers);
    }
    std::erase_if(refused, [](const auto& entry) { return entry.second.empty(); });
}

std::optional<ShortHash> LogState::end_at(const Ends& ends, Number number) {
    const auto found = std::ranges::lower_bound(ends, number, {}, &End::number);
    return found == ends.end() || found->number != number ? std::nullopt : std::optional(found->id);
}

namespace {

void drop_ends(LogState::Ends& ends, Number first, Number last) {
    const auto from = std::ranges::lower_bound(ends, first, {}, &LogState::End::number);
    ends.erase(from, std::ranges::upper_bound(from, ends.end(), last, {}, &LogState::End::number));
}

void add_end(LogState::Ends& ends, Number number, const ShortHash& id) {
    if (!id.is_zero()) {
        ends.insert(std::ranges::lower_bound(ends, number, {}, &LogState::End::number),
                    {number, id});
    }
}

}  // namespace

void LogState::count_receipted(Interval run, const ShortHash& id, const ShortHash& prev) {
    const auto below = run.first - 1;
    const auto above = run.last + 1;
    receipted.add(run);
    drop_ends(tops, below, run.last);
    drop_ends(bottoms, run.first, above);
    if (!receipted.contains(above)) {
        add_end(tops, run.last, id);
    }
    if (!receipted.contains(below)) {
        add_end(bottoms, run.first, prev);
    }
    touch({below, above});
}

void LogState::count_unreadable(Interval run) {
    unreadable.add(run);
    touch(run);
}

void LogState::take_back_receipt(Interval run) {
    receipted.remove(run);
    drop_ends(tops, run.first, run.last);
    drop_ends(bottoms, run.first, run.last);
    touch(run);
}

void LogState::note_bottom(Number number, const ShortHash& prev) {
    if (receipted.contains(number) && !receipted.contains(number - 1)) {
        drop_ends(bottoms, number, number);
        add_end(bottoms, number, prev);
        touch({number, number});
    }
}

void LogState::withdraw(Number number) {
    withdrawn.add({number, number});
    touch({number, number});
}

bool LogState::is_refused(Interval run) const {
    return std::ranges::any_of(refused,
                               [&](const auto& entry) { return entry.second.contains_any(run); });
}

bool LogState::is_terminal(Interval run) const {
    return known.contains_all(run) && !held.contains_any(run) && !closed.contains_any(run) &&
           !is_refused(run);
}

IntervalSet LogState::terminal() const {
    auto rest = without(known, held);
    rest.remove(closed);
    for (const auto& [reason, numbers] : refused) {
        rest.remove(numbers);
    }
    return rest;
}

bool LogState::has_judged(Interval run) const {
    return known.contains_all(run) && !closed.contains_any(run);
}

}  // namespace fieldpost::storage
