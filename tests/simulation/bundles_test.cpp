// Goal: where no link ever comes, a stick does everything that a link does, receipts included.
// Nothing that happens to the stick does harm.
// Method: named scenarios, and sticks at random among five offices.
#include <catch2/catch.hpp>
#include <cstdlib>

#include "crypto/register_seal.h"
#include "daemon/engine/bundle/bundle_knowledge.h"
#include "tests/simulation/world.h"

using namespace fieldpost;
using namespace fieldpost::tests;
using namespace std::chrono_literals;
using engine::What;

namespace {

// A driver's work at each office: take in the bundles on the stick, and leave there what the others
// lack.
class Stick {
public:
    explicit Stick(World& world) : world_(world) {}
    void visit(Node node) {
        for (const auto& [writer, bytes] : files_) {
            world_.read_bundle(node, bytes);
        }
        if (const auto bundle = world_.write_bundle(node)) {
            files_[node] = bundle->bytes;
        }
    }
    [[nodiscard]] const Bytes& file_of(Node node) const { return files_.at(node); }

private:
    World& world_;
    std::map<Node, Bytes> files_;
};

}  // namespace

TEST_CASE("a stick brings reports, and brings their receipts home", "[simulation]") {
    World world(1, {"hq", "hyesan", "pyongyang"}, {});
    const auto text = world.queue(hyesan, {hq}, RecordClass::normal).value();
    const auto urgent = world.queue(hyesan, {hq, pyongyang}, RecordClass::urgent).value();
    const auto scan = world.queue(hyesan, {hq}, RecordClass::normal, 300'000).value();
    Stick stick(world);
    stick.visit(hyesan);
    stick.visit(pyongyang);
    CHECK(world.times_happened(pyongyang, What::received, urgent) == 1);
    stick.visit(hyesan);
    CHECK(world.times_happened(hyesan, What::carried, text, pyongyang) == 1);
    stick.visit(hq);
    CHECK(world.inbox(hq).size() == 3);
    const auto answer = world.acknowledge(hq, text).value();
    stick.visit(hq);
    stick.visit(pyongyang);
    stick.visit(hyesan);
    for (const auto& report : {text, urgent, scan}) {
        CHECK(world.times_happened(hyesan, What::delivered, report, hq) == 1);
        CHECK(world.times_happened(hq, What::received, report) == 1);
    }
    CHECK(world.times_happened(hyesan, What::acknowledged, text) == 1);
    CHECK(world.times_happened(hyesan, What::received, answer) == 1);
    // After that no reports are left to bring.
    stick.visit(hq);
    const auto last = world.write_bundle(hyesan).value();
    CHECK(last.reports == 0);
    world.check_everything();
}

TEST_CASE("an office is admitted by stick alone, and what it queued before arrives",
          "[simulation]") {
    World world(2, {"hq", "hyesan", "pyongyang"}, {});
    const auto camp = world.invite_and_join("camp");
    const auto report = world.queue(camp, {hq}, RecordClass::normal).value();
    Stick stick(world);
    stick.visit(camp);
    stick.visit(pyongyang);  // which has never heard of camp
    stick.visit(hq);
    stick.visit(camp);
    CHECK(world.ledger(camp).roster().find(world.keys(camp).index)->is_member());
    stick.visit(hq);
    CHECK(world.times_happened(hq, What::received, report) == 1);
    stick.visit(camp);
    CHECK(world.times_happened(camp, What::delivered, report, hq) == 1);
    world.check_everything();
}

TEST_CASE("a stick and a link bring one body together", "[simulation]") {
    World world(3, {"hq", "hyesan"}, {});
    const auto scan = world.queue(hyesan, {hq}, RecordClass::normal, 600'000).value();
    world.connect(hyesan, hq);
    while (world.ledger(hq).partials().empty() ||
           world.ledger(hq).partials().begin()->second.checked.count() < 12) {
        REQUIRE(world.step());
    }
    // The stick is read while the link brings the body, and goes on alone once the link has gone.
    const auto whole = world.write_bundle(hyesan).value();
    SECTION("while the link brings it") {
        world.read_bundle(hq, whole.bytes);
        world.run_until_idle(1h);
    }
    SECTION("after the link went") {
        world.cut(hyesan, hq);
        const auto most = BytesView(whole.bytes).first(whole.bytes.size() * 3 / 4);
        world.read_bundle(hq, most);
        const auto parts = world.ledger(hq).partials().begin()->second.checked.count();
        CHECK(parts > 20);
        SECTION("by the same stick") {
            world.read_bundle(hq, whole.bytes);
        }
        SECTION("by one that knows what is there") {
            world.read_bundle(hyesan, world.write_bundle(hq).value().bytes);
            const auto rest = world.write_bundle(hyesan).value();
            CHECK(rest.bytes.size() < whole.bytes.size() / 2);
            world.read_bundle(hq, rest.bytes);
        }
        SECTION("by the link") {
            world.connect(hyesan, hq);
            world.run_until_idle(1h);
        }
    }
    CHECK(world.times_happened(hq, What::received, scan) == 1);
    world.check_everything();
}

TEST_CASE("what is delivered while it is written is written no further", "[simulation]") {
    World world(8, {"hq", "hyesan", "pyongyang"}, {});
    world.queue(hyesan, {hq}, RecordClass::normal, 600'000);
    world.read_bundle(pyongyang, world.write_bundle(hyesan).value().bytes);
    world.read_bundle(hq, world.write_bundle(hyesan).value().bytes);
    const auto receipt = world.write_bundle(hq).value();
    int cells = 0;
    const auto bundle = world.write_bundle(pyongyang, {}, UINT32_MAX, [&] {
        if (++cells == 4) {
            world.read_bundle(pyongyang, receipt.bytes);
        }
    });
    CHECK(bundle->reports == 0);
    CHECK(bundle->bytes.size() < 500'000);
    world.check_everything();
}

TEST_CASE("beside a bundle another one has only what is new", "[simulation]") {
    World world(9, {"hq", "hyesan", "pyongyang"}, {});
    const auto first = world.queue(hyesan, {hq}, RecordClass::normal, 200'000).value();
    const auto whole = world.write_bundle(hyesan).value();
    CHECK_FALSE(whole.is_addition);
    CHECK_FALSE(world.write_bundle(hyesan, {}, UINT32_MAX, {}, whole).value().has_news);
    const auto second = world.queue(hyesan, {hq}, RecordClass::normal).value();
    const auto added = world.write_bundle(hyesan, {}, UINT32_MAX, {}, whole).value();
    CHECK(added.is_addition);
    CHECK(added.has_news);
    CHECK(added.reports == 1);
    CHECK(added.bytes.size() < 4'000);
    // In any order, and either of them alone.
    world.read_bundle(hq, added.bytes);
    CHECK(world.times_happened(hq, What::received, second) == 1);
    world.read_bundle(hq, whole.bytes);
    CHECK(world.times_happened(hq, What::received, first) == 1);
    // Now the other way: a receipt is news, but the receipt's own arrival is none.
    const auto answer = world.write_bundle(hq, {}, UINT32_MAX, {}, {}).value();
    world.read_bundle(hyesan, answer.bytes);
    CHECK(world.times_happened(hyesan, What::delivered, first, hq) == 1);
    CHECK_FALSE(world.write_bundle(hq, {}, UINT32_MAX, {}, answer).value().has_news);
    CHECK_FALSE(world.write_bundle(hyesan, {hq}, UINT32_MAX, {}, added).value().has_news);
    // An office that begins to carry tells so once.
    const auto before = world.write_bundle(pyongyang).value();
    const auto third = world.queue(hyesan, {hq}, RecordClass::normal).value();
    world.read_bundle(pyongyang, world.write_bundle(hyesan).value().bytes);
    const auto custody = world.write_bundle(pyongyang, {}, UINT32_MAX, {}, before).value();
    CHECK(custody.has_news);
    world.read_bundle(hyesan, custody.bytes);
    CHECK(world.times_happened(hyesan, What::carried, third, pyongyang) == 1);
    CHECK_FALSE(world.write_bundle(pyongyang, {}, UINT32_MAX, {}, custody).value().has_news);
    world.check_everything();
}

TEST_CASE("where another left a record nobody leaves it again, but its author", "[simulation]") {
    World world(20, {"hq", "hyesan", "pyongyang", "wonsan"}, {});
    const auto text = world.queue(hyesan, {hq}, RecordClass::normal).value();
    const auto scan = world.queue(hyesan, {hq}, RecordClass::bulk, 300'000).value();
    const auto from_hyesan = world.write_bundle(hyesan).value();
    const auto read = world.read_bundle(pyongyang, from_hyesan.bytes).value();
    CHECK(read.holds == from_hyesan.holds);
    // A second reading gives the same result.
    CHECK(world.read_bundle(pyongyang, from_hyesan.bytes)->holds == from_hyesan.holds);
    const auto carried = world.write_bundle(pyongyang, {}, UINT32_MAX, {}, {}, read.holds).value();
    CHECK(carried.reports == 0);
    CHECK(carried.holds.empty());
    CHECK(carried.bytes.size() < 4'000);
    // When hyesan's file is gone, pyongyang leaves the records, in the same row.
    const auto instead = world.write_bundle(pyongyang, {}, UINT32_MAX, {}, carried).value();
    CHECK(instead.is_addition);
    CHECK(instead.reports == 2);
    CHECK(instead.holds == from_hyesan.holds);
    CHECK_FALSE(world.write_bundle(pyongyang, {}, UINT32_MAX, {}, instead).value().has_news);
    // Their author leaves them in any case.
    const auto of_pyongyang = world.read_bundle(hyesan, instead.bytes).value().holds;
    CHECK(of_pyongyang == from_hyesan.holds);
    CHECK(world.write_bundle(hyesan, {}, UINT32_MAX, {}, {}, of_pyongyang).value().reports == 2);
    // From a file that ends within the large record, a reader gets the text alone.
    const auto cut = BytesView(from_hyesan.bytes).first(from_hyesan.bytes.size() / 2);
    const auto some = world.read_bundle(wonsan, cut).value();
    REQUIRE(some.holds.size() == 1);
    CHECK(some.holds.begin()->first.record_class == RecordClass::normal);
    CHECK(world.read_bundle(pyongyang, cut)->holds == some.holds);
    world.read_bundle(wonsan, instead.bytes);
    CHECK(world.write_bundle(wonsan, {}, UINT32_MAX, {}, {}, some.holds).value().reports == 1);
    // After a day a carrier leaves the records too: some readers may not read the other office's
    // file.
    world.run_for(25h);
    CHECK(world.write_bundle(pyongyang, {}, UINT32_MAX, {}, {}, read.holds).value().reports == 2);
    world.read_bundle(hq, instead.bytes);
    CHECK(world.has_received(hq, text));
    CHECK(world.has_received(hq, scan));
    world.check_everything();
}

TEST_CASE("what was let go and taken again is left there again", "[simulation]") {
    World world(21, {"hq", "hyesan", "pyongyang", "wonsan"}, {});
    const auto report = world.queue(hyesan, {hq}, RecordClass::normal).value();
    const auto whole = world.write_bundle(hyesan).value();
    // pyongyang has refused the record. So its bundle says that it does not want the record, and
    // does not list it as held.
    world.set_carry_limit(pyongyang, 0);
    world.crash(pyongyang);
    world.restart(pyongyang);
    world.read_bundle(pyongyang, whole.bytes);
    const auto refusing = world.write_bundle(pyongyang).value();
    CHECK(refusing.reports == 0);
    world.set_carry_limit(pyongyang, 1U << 20);
    world.crash(pyongyang);
    world.restart(pyongyang);
    world.run_for(1h);
    world.read_bundle(wonsan, whole.bytes);
    world.connect(wonsan, pyongyang);
    world.run_for(1min);
    const auto added = world.write_bundle(pyongyang, {}, UINT32_MAX, {}, refusing).value();
    CHECK(added.is_addition);
    CHECK(added.reports == 1);
    // The author is told of the carrier, and once only.
    world.read_bundle(hyesan, added.bytes);
    CHECK(world.times_happened(hyesan, What::carried, report, pyongyang) == 1);
    CHECK_FALSE(world.write_bundle(pyongyang, {}, UINT32_MAX, {}, added).value().has_news);
    world.check_everything();
}

TEST_CASE("who came later, or lost what it had, is not passed over for a bundle before",
          "[simulation]") {
    World world(10, {"hq", "hyesan", "pyongyang"}, {});
    world.queue(hyesan, {hq}, RecordClass::normal);
    world.queue(hyesan, {pyongyang}, RecordClass::bulk);
    const auto whole = world.write_bundle(hyesan).value();
    CHECK(engine::is_said_by_us(world.ledger(hyesan), whole.said));
    CHECK_FALSE(engine::is_said_by_us(world.ledger(hq), whole.said));
    auto other = whole.said;
    other.back() ^= std::byte{1};
    CHECK_FALSE(engine::is_said_by_us(world.ledger(hyesan), other));
    CHECK_FALSE(engine::is_said_by_us(world.ledger(hyesan), {}));
    // pyongyang refused for lack of room, and its bundle says so. Later it has room.
    world.set_carry_limit(pyongyang, 0);
    world.crash(pyongyang);
    world.restart(pyongyang);
    world.read_bundle(pyongyang, whole.bytes);
    const auto refusing = world.write_bundle(pyongyang).value();
    world.read_bundle(hyesan, refusing.bytes);
    CHECK(world.ledger(hyesan).had_less().empty());
    CHECK(world.write_bundle(hyesan, {}, UINT32_MAX, {}, whole).value().is_addition);
    world.set_carry_limit(pyongyang, 1U << 20);
    world.crash(pyongyang);
    world.restart(pyongyang);
    world.run_for(1h);
    // The new room is news for others, though pyongyang's earlier file stays there.
    const auto room = world.write_bundle(pyongyang, {}, UINT32_MAX, {}, refusing).value();
    CHECK(room.has_news);
    world.read_bundle(hyesan, room.bytes);
    const auto again = world.write_bundle(hyesan, {}, UINT32_MAX, {}, whole).value();
    CHECK(again.is_addition);
    CHECK(again.reports == 1);  // only of the log that pyongyang refused
    // Only once: after that the record is in the row.
    CHECK(world.write_bundle(hyesan, {}, UINT32_MAX, {}, again).value().is_addition);
    // A bundle for hq alone is not affected.
    CHECK(world.write_bundle(hyesan, {hq}, UINT32_MAX, {}, whole).value().is_addition);
    const auto camp = world.invite_and_join("camp");
    const auto known = world.ledger(hyesan).roster().version();
    world.read_bundle(hyesan, world.write_bundle(hq).value().bytes);
    REQUIRE(world.ledger(hyesan).roster().version() > known);
    CHECK_FALSE(world.write_bundle(hyesan, {}, UINT32_MAX, {}, again).value().is_addition);
    (void)camp;
}

TEST_CASE("many large bodies come at once, and every one is kept", "[simulation]") {
    World world(11, {"hq", "hyesan"}, {});
    for (int i = 0; i < 40; ++i) {
        world.queue(hyesan, {hq}, RecordClass::normal, 4'000 + 100 * static_cast<std::size_t>(i));
        world.queue(hyesan, {hq}, RecordClass::normal, 33'000);
    }
    const auto taken = world.read_bundle(hq, world.write_bundle(hyesan).value().bytes);
    CHECK(taken->new_reports == 80);
    CHECK(world.inbox(hq).size() == 80);
    CHECK(world.ledger(hq).partials().empty());
    world.check_everything();
}

TEST_CASE("a small stick takes what matters most, and says what it left", "[simulation]") {
    World world(4, {"hq", "hyesan"}, {});
    const auto scan = world.queue(hyesan, {hq}, RecordClass::bulk, 200'000).value();
    const auto text = world.queue(hyesan, {hq}, RecordClass::normal, 5'000).value();
    const auto urgent = world.queue(hyesan, {hq}, RecordClass::urgent).value();
    const auto bundle = world.write_bundle(hyesan, {}, 20'000).value();
    CHECK(bundle.reports == 2);
    CHECK(bundle.left_out == 1);
    world.read_bundle(hq, bundle.bytes);
    CHECK(world.times_happened(hq, What::received, urgent) == 1);
    CHECK(world.times_happened(hq, What::received, text) == 1);
    CHECK(world.times_happened(hq, What::received, scan) == 0);
    const auto none = world.write_bundle(hyesan, {}, 1'000).value();
    CHECK(none.reports == 0);
    world.check_everything();
}

TEST_CASE("a member that signs many registers does not fill a small stick", "[simulation]") {
    World world(18, {"hq", "hyesan", "pyongyang", "wonsan"}, {});
    constexpr std::size_t reports = 40;
    for (std::size_t i = 0; i < reports; ++i) {
        REQUIRE(world.queue(hyesan, {hq}, RecordClass::normal, 900).has_value());
    }
    world.connect(hyesan, pyongyang);
    world.run_until_idle(1h);
    // Registers of kinds that a later release may know.
    constexpr std::size_t registers = 16;
    for (std::size_t i = 0; i < registers; ++i) {
        Register entry;
        entry.key = {world.keys(wonsan).index, static_cast<std::uint8_t>(100 + i), {}};
        entry.version = {{1, 7}, 1'000'000 + i};
        entry.at = founded_at;
        entry.payload = Bytes(3'900, std::byte{7});
        crypto::sign_register(world.keys(wonsan).machine.identity, world.network().id(), entry);
        world.tell(pyongyang, wonsan, RegisterNews{{entry}});
    }
    const auto of_wonsan = [&](Node node) {
        return world.ledger(node).registers_of(world.keys(wonsan).index).size();
    };
    REQUIRE(of_wonsan(pyongyang) >= registers);
    const auto stick = world.write_bundle(pyongyang, {hq}, 30'000);
    REQUIRE(stick.has_value());
    CHECK(stick->left_out > 0);
    world.read_bundle(hq, stick->bytes);
    // Records take half of the room, as near as whole registers allow. The reports of one author go
    // in packs.
    CHECK(world.inbox(hq).size() >= 8);
    CHECK(of_wonsan(hq) >= 2);
    CHECK(of_wonsan(hq) < 6);
}

TEST_CASE("receipts of ten thousand reports go home in 4 kB", "[simulation][slow]") {
    World world(5, {"hq", "hyesan", "pyongyang"}, {});
    for (int i = 0; i < 10'000; ++i) {
        world.queue(hyesan, {hq}, RecordClass::normal);
    }
    const auto there = world.write_bundle(hyesan).value();
    CHECK(there.reports == 10'000);
    CHECK(world.read_bundle(hq, there.bytes)->new_reports == 10'000);
    const auto home = world.write_bundle(hq, {hyesan}).value();
    CHECK(home.bytes.size() <= 4'096);
    world.read_bundle(hyesan, home.bytes);
    CHECK(world.write_bundle(hyesan, {hq}).value().reports == 0);
}

TEST_CASE("of a bundle that was cut off all before the cut is taken", "[simulation]") {
    World world(6, {"hq", "hyesan"}, {});
    for (int i = 0; i < 3; ++i) {
        world.queue(hyesan, {hq}, RecordClass::urgent);
    }
    world.queue(hyesan, {hq}, RecordClass::normal, 40'000);
    const auto bundle = world.write_bundle(hyesan).value();
    std::size_t most = 0;
    for (std::size_t size = 0; size < bundle.bytes.size(); size += 97) {
        world.read_bundle(hq, BytesView(bundle.bytes).first(size));
        const auto now = world.inbox(hq).size();
        CHECK(now >= most);
        most = now;
    }
    CHECK(world.read_bundle(hq, bundle.bytes)->rejected == 0);
    CHECK(world.inbox(hq).size() == 4);
    world.check_everything();
}

TEST_CASE("damage costs what it lies in, and nothing else", "[simulation]") {
    World world(7, {"hq", "hyesan"}, {});
    for (int i = 0; i < 3; ++i) {
        world.queue(hyesan, {hq}, RecordClass::urgent);
    }
    world.queue(hyesan, {hq}, RecordClass::normal, 300'000);
    const auto bundle = world.write_bundle(hyesan).value();
    for (int i = 0; i < 100; ++i) {
        auto damaged = bundle.bytes;
        const auto at = world.dice()() % damaged.size();
        damaged[at] ^= std::byte{static_cast<unsigned char>(1U << (world.dice()() % 8))};
        world.read_bundle(hq, damaged);
    }
    // Another place of the stick was spoiled each time.
    CHECK(world.inbox(hq).size() == 4);
    CHECK(world.ledger(hq).partials().empty());
    world.check_everything();
}

namespace {

// For any other office, of any class, and sometimes with an attachment.
void queue_something(World& world, Node node) {
    const auto any = [&](std::size_t below) { return world.dice()() % below; };
    const Node to = (node + 1 + any(world.size() - 1)) % world.size();
    const auto record_class = static_cast<RecordClass>(1 + any(3));
    world.queue(node, {to}, record_class, any(3) == 0 ? any(120'000) : 0);
}

void carry_about(std::uint64_t seed) {
    INFO("FIELDPOST_SEED=" << seed);
    World world(seed, {"hq", "hyesan", "pyongyang", "wonsan", "camp"}, {});
    std::vector<Bytes> drawer;  // old bundles that were not thrown away
    const auto any = [&](std::size_t below) { return world.dice()() % below; };
    for (int round = 0; round < 60; ++round) {
        const Node node = any(world.size());
        switch (any(6)) {
            case 0:
            case 1:
                queue_something(world, node);
                break;
            case 2:
            case 3: {
                const auto max = any(4) == 0 ? 2'000 + any(100'000) : UINT32_MAX;
                if (auto bundle = world.write_bundle(node, {}, max)) {
                    drawer.push_back(std::move(bundle->bytes));
                }
                break;
            }
            case 4:
                if (!drawer.empty()) {
                    auto bytes = drawer[any(drawer.size())];
                    if (any(4) == 0) {
                        bytes.resize(any(bytes.size() + 1));
                    }
                    world.read_bundle(node, bytes);
                }
                break;
            default:
                world.crash(node);
                world.pass(std::chrono::minutes{any(600)});
                world.restart(node);
        }
    }
    for (Node node = 0; node < world.size(); ++node) {
        world.restart(node);
    }
    // A driver comes to every office, two rounds.
    Stick stick(world);
    for (int round = 0; round < 3; ++round) {
        for (Node node = 0; node < world.size(); ++node) {
            world.pass(1h);
            stick.visit(node);
        }
    }
    for (const auto& [report, readers] : world.promised()) {
        for (const auto reader : readers) {
            CHECK(world.times_happened(reader, What::received, report) == 1);
        }
    }
    world.check_everything();
}

// A folder as the command follows it: each office's row of bundles, and the records in the others'
// files.
class Share {
public:
    explicit Share(World& world) : world_(world) {}
    void visit(Node node) {
        engine::RunsByLog of_others;
        for (const auto& [writer, row] : rows_) {
            for (const auto& bytes : row.files) {
                const auto read = world_.read_bundle(node, bytes);
                for (const auto& [log, runs] : read&& writer != node ? read->holds : nothing_) {
                    of_others[log].add(runs);
                }
            }
        }
        auto& row = rows_[node];
        auto bundle = world_.write_bundle(node, {}, UINT32_MAX, {}, row.before, of_others);
        if (!bundle) {
            return;
        }
        if (!bundle->is_addition) {
            row.files.clear();
        }
        if (!bundle->is_addition || bundle->has_news) {
            row.files.push_back(bundle->bytes);
            row.before = std::move(*bundle);
        }
    }
    // Its next bundle there is a whole one.
    void lose(Node node) { rows_.erase(node); }

private:
    struct Row {
        std::vector<Bytes> files;
        Bundle before;
    };
    World& world_;
    std::map<Node, Row> rows_;
    const engine::RunsByLog nothing_;
};

void share_a_folder(std::uint64_t seed) {
    INFO("FIELDPOST_SEED=" << seed);
    World world(seed, {"hq", "hyesan", "pyongyang", "wonsan", "camp"}, {});
    Share share(world);
    const auto any = [&](std::size_t below) { return world.dice()() % below; };
    for (int round = 0; round < 60; ++round) {
        const Node node = any(world.size());
        switch (any(8)) {
            case 0:
            case 1:
                queue_something(world, node);
                break;
            case 2:
            case 3:
            case 4:
            case 5:
                share.visit(node);
                break;
            case 6:
                if (any(4) == 0) {
                    share.lose(node);
                }
                break;
            default:
                world.crash(node);
                world.pass(std::chrono::minutes{any(600)});
                world.restart(node);
        }
    }
    // One office closes, and its files go. Its records that other offices carry still arrive.
    const Node closed = any(world.size());
    for (Node node = 0; node < world.size(); ++node) {
        world.restart(node);
    }
    const auto is_carried = [&](const storage::ReportKey& report) {
        for (Node node = 0; node < world.size(); ++node) {
            const LogKey log{report.author, report.origin.incarnation, report.origin.record_class};
            if (node != closed && world.ledger(node).log(log).held.contains(report.origin.number)) {
                return true;
            }
        }
        return false;
    };
    std::vector<std::pair<storage::ReportKey, Node>> expected;
    for (const auto& [report, readers] : world.promised()) {
        for (const auto reader : readers) {
            if (reader != closed &&
                (report.author != world.keys(closed).index || is_carried(report))) {
                expected.emplace_back(report, reader);
            }
        }
    }
    share.lose(closed);
    for (int round = 0; round < 4; ++round) {
        for (Node node = 0; node < world.size(); ++node) {
            world.pass(1h);
            if (node != closed) {
                share.visit(node);
            }
        }
    }
    for (const auto& [report, reader] : expected) {
        CHECK(world.times_happened(reader, What::received, report) == 1);
    }
    world.check_everything();
}

// Plays twenty seeds, or the one seed that the environment names.
void play(const std::function<void(std::uint64_t)>& scenario) {
    for_each_seed(20, scenario);
}

}  // namespace

TEST_CASE("sticks alone bring everything to everybody", "[simulation]") {
    play(carry_about);
}

TEST_CASE("one folder that all share brings everything to everybody", "[simulation]") {
    play(share_a_folder);
}
