#include "tests/bench/texts.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string_view>

#include "proto/result.h"

namespace fieldpost::bench {

namespace {

using Words = std::vector<std::string_view>;

// '#' stands for a number, '@' for a place, '$' for a person.
struct Language {
    Words when;
    Words happening;
    Words consequence;
    Words places;
    Words people;
    std::string_view before_consequence;
    std::string_view end;
};

const std::array<Language, 4> languages = {
    {{{"오늘 아침 ", "어제 오후 ", "월요일부터 ", "지난주에 ", "#시쯤 ", "장마가 시작된 뒤로 ",
       "이번 달 들어 ", "전기가 끊긴 동안 ", "점심 무렵 ", "회의가 끝난 뒤 ", "@에서 돌아온 다음 ",
       "밤사이 ", "#일 전부터 ", "도로가 열리자마자 ", "$ 동무의 말로는 ", "예정보다 #일 늦게 "},
      {"물리치료실에 환자 #명이 다녀갔는데 그중 #명은 처음 온 사람이며",
       "@ 진료소의 석고가 #kg밖에 남지 않았고",
       "휠체어 #대를 수리했으나 앞바퀴 부품이 #개 모자라고",
       "의지를 새로 맞춘 아이가 #걸음을 혼자 걸었고",
       "@으로 가는 다리가 물에 잠겨 차가 #km를 돌아가야 하며",
       "발전기가 하루 #시간만 돌아가서 백신 냉장고 온도가 #도까지 올랐고",
       "$ 선생이 맡은 교육에 조수 #명이 참가하였으며",
       "우물 #호의 염소 농도가 기준보다 낮게 나왔고",
       "목발 #쌍과 지팡이 #개를 창고에서 내주었으며",
       "절단 환자 #명의 상처가 아직 아물지 않았고",
       "@ 학교에서 시력 검사를 받은 학생이 #명이며",
       "폴리프로필렌 판 #장이 젖어서 쓸 수 없게 되었고",
       "설사 환자가 #명 늘어 수액을 #봉지 더 썼으며",
       "재활 체조 시간에 어르신 #분이 꾸준히 나오시고",
       "트럭 한 대가 고장나 짐 #상자를 @에 두고 왔으며",
       "보조기 주문서 #건이 아직 본부의 답을 받지 못했고",
       "겨울 담요 #장을 #가구에 나누어 주었으며",
       "$ 동무가 작업 중에 손을 다쳐 #일 쉬게 되었고",
       "오븐의 전열선이 끊어져 의지 제작이 #일째 멈췄으며",
       "환자 기록 #권을 새 장부로 옮겨 적었고"},
      {"다음 수송 때 꼭 보내 주시기 바랍니다", "@에서 빌려 쓰고 있습니다", "지금은 안정되었습니다",
       "#일 안에 다시 알리겠습니다", "책임자는 $입니다", "자세한 수는 주간 보고에 적겠습니다",
       "날이 풀리면 다시 가 볼 생각입니다", "가족들에게는 이미 설명하였습니다",
       "본부의 결정을 기다리고 있습니다", "예비품으로 #주는 버틸 수 있습니다",
       "사진은 다음 연결 때 보내겠습니다", "원인은 아직 알아보는 중입니다",
       "마을 사람들이 스스로 길을 고치고 있습니다", "그래서 방문 날짜를 #일로 미루었습니다",
       "아픈 사람은 더 없습니다", "$ 의사와 전화로 의논하였습니다"},
      {"혜산", "신의주", "강계", "사리원", "함흥", "청진", "원산", "희천", "남포", "개성", "단천",
       "만포"},
      {"김은희", "박철수", "리명옥", "정하늘", "최영남", "한경숙", "오성진", "장미란", "윤태호",
       "서복순"},
      " ",
      ". "},
     {{"今天上午，", "昨天下午，", "自星期一起，", "上周末，", "#点左右，", "大雨之后，",
       "停电期间，", "据$说，", "从@回来的路上，", "夜里，", "#天以来，", "道路一通，",
       "会议结束时，", "比计划晚了#天，", "午饭前后，", "本月初，"},
      {"康复室接待了#名患者，其中#名是第一次来",
       "@诊所的石膏只剩#公斤",
       "修好了#辆轮椅，但前轮还缺#个",
       "装上假肢的孩子自己走了#步",
       "去@的桥被水淹没，车要绕行#公里",
       "发电机每天只转#小时，疫苗冰箱升到#度",
       "$主持的培训有#名助理参加",
       "#号水井的余氯低于标准",
       "仓库发出#副拐杖和#根手杖",
       "有#名截肢患者的伤口还没有愈合",
       "@小学有#个学生检查了视力",
       "#张聚丙烯板受潮，不能再用",
       "腹泻病人增加#名，多用了#袋补液",
       "每天有#位老人坚持来做康复操",
       "一辆卡车坏了，#箱货物留在@",
       "#份矫形器订单还没有得到总部答复",
       "给#户人家分发了#条冬被",
       "$工作时伤了手，需要休息#天",
       "烘箱的电热丝断了，制作已经停了#天",
       "把#本病历抄进了新的登记簿"},
      {"请下一批运输一定送来", "目前向@借用", "现在情况稳定", "#天之内再报告", "负责人是$",
       "详细数字写在周报里", "等天气好转再去一次", "已经向家属解释清楚", "正在等总部决定",
       "备用的还可以维持#周", "照片下次连上时再发", "原因还在查", "村民自己在修路",
       "所以走访改到#号", "没有新的病人", "已经和$医生通过电话"},
      {"丹东", "图们", "集安", "临江", "长白", "珲春", "通化", "和龙", "延吉", "敦化", "桦甸",
       "梅河口"},
      {"王芳", "李伟", "陈静", "赵国强", "孙丽华", "周明", "吴秀兰", "郑晓东", "刘洋", "马玉珍"},
      "，",
      "。"},
     {{"Ce matin, ", "Hier après-midi, ", "Depuis lundi, ", "La semaine dernière, ", "Vers # h, ",
       "Après les pluies, ", "Pendant la coupure, ", "D'après $, ", "Au retour de @, ",
       "Dans la nuit, ", "Depuis # jours, ", "Dès l'ouverture de la piste, ",
       "À la fin de la réunion, ", "Avec # jours de retard, ", "À midi, ", "Au début du mois, "},
      {"le service de kinésithérapie a reçu # patients dont # pour la première fois",
       "il ne reste que # kg de plâtre au dispensaire de @",
       "nous avons réparé # fauteuils roulants, mais il manque # roues avant",
       "l'enfant appareillé a fait # pas tout seul",
       "le pont vers @ est sous l'eau et les camions font un détour de # km",
       "le groupe ne tourne que # heures par jour et le réfrigérateur est monté à # degrés",
       "# assistants ont suivi la formation de $",
       "le chlore du puits numéro # est au-dessous de la norme",
       "le magasin a remis # paires de béquilles et # cannes",
       "la plaie de # amputés n'est pas encore fermée",
       "on a contrôlé la vue de # élèves à l'école de @",
       "# plaques de polypropylène ont pris l'humidité et sont perdues",
       "on compte # cas de diarrhée de plus et # poches de sérum utilisées",
       "# personnes âgées viennent chaque jour à la gymnastique",
       "un camion est tombé en panne et # caisses sont restées à @",
       "# commandes d'orthèses attendent encore la réponse du siège",
       "# couvertures ont été distribuées à # familles",
       "$ s'est blessé à la main et doit se reposer # jours",
       "la résistance du four a lâché et l'atelier est arrêté depuis # jours",
       "# dossiers ont été recopiés dans le nouveau registre"},
      {"merci d'en envoyer par le prochain convoi", "on emprunte pour l'instant à @",
       "la situation est stable", "je vous tiens au courant d'ici # jours", "$ en est responsable",
       "le détail sera dans le rapport de la semaine", "nous y retournerons quand il fera meilleur",
       "les familles ont été prévenues", "nous attendons la décision du siège",
       "la réserve suffit pour # semaines", "les photos suivront à la prochaine liaison",
       "la cause n'est pas encore connue", "les villageois réparent eux-mêmes la route",
       "la visite est donc reportée au #", "aucun nouveau malade n'est signalé",
       "le docteur $ a donné son accord au téléphone"},
      {"Bangassou", "Obo", "Zémio", "Kaga-Bandoro", "Birao", "Bria", "Ndélé", "Paoua", "Mobaye",
       "Rafaï", "Bakouma", "Sibut"},
      {"Anne Morel", "Sœur Claire", "J. Ngarso", "Hélène B.", "M. Kpossa", "Ibrahim D.",
       "Luc Fontaine", "Awa Traoré", "Dr Okello", "Paul Etienne"},
      " ; ",
      ". "},
     {{"This morning ", "Yesterday afternoon ", "Since Monday ", "Late last week ",
       "Around # o'clock ", "After the heavy rain ", "While the power was out ", "$ tells us that ",
       "On the way back from @ ", "During the night ", "For # days now ",
       "As soon as the road opened ", "At the end of the meeting ", "With # days of delay ",
       "Shortly before noon ", "Early this month "},
      {"the physiotherapy room saw # patients, # of them for the first time",
       "the clinic in @ was down to # kg of plaster",
       "we repaired # wheelchairs but are short of # front castors",
       "the boy with the new prosthesis walked # steps on his own",
       "the bridge to @ went under water and lorries go # km around it",
       "the generator ran for only # hours a day and the vaccine fridge reached # degrees",
       "# assistants attended the course that $ gives",
       "the chlorine in well # was found below the standard",
       "the store handed out # pairs of crutches and # walking sticks",
       "the wounds of # amputees had still not closed",
       "# pupils at the school in @ had their eyes tested",
       "# sheets of polypropylene got wet and cannot be used",
       "we counted # more cases of diarrhoea and used # bags of fluid",
       "# elderly people came to the exercise class",
       "a truck broke down and # boxes were left behind in @",
       "# orders for braces were still waiting for an answer from headquarters",
       "# blankets went to # families",
       "$ hurt a hand at work and has to rest for # days",
       "the heating wire of the oven burnt out and the workshop stood still for # days",
       "# patient files were copied into the new register"},
      {"please put some on the next convoy", "for now we borrow from @", "things are calm again",
       "we will report again within # days", "$ is in charge of it",
       "the exact figures come with the weekly report",
       "we will go there again when the weather allows", "the families have been told",
       "headquarters has to decide", "what is in reserve lasts # weeks",
       "pictures follow when there is a link", "nobody knows the cause yet",
       "the villagers are mending the road themselves", "so the visit moves to the #th",
       "nobody else has fallen ill", "Dr $ agreed by telephone"},
      {"Maban", "Rumbek", "Kapoeta", "Malakal", "Yambio", "Bentiu", "Torit", "Aweil", "Pibor",
       "Wau", "Akobo", "Renk"},
      {"Amina Yusuf", "Grace Achol", "Tom Brennan", "Dr Okello", "Ruth Lado", "Peter Deng",
       "Mary Kenyi", "Samuel Loro", "Joan Whitby", "Isaac Modi"},
      "; ",
      ". "}}};

constexpr std::size_t text_bytes = 600;

// splitmix64 (Steele, Lea, Flood 2014): the same on every machine, as the standard library's
// distributions are not.
class Dice {
public:
    explicit Dice(std::uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15U) {}
    std::size_t below(std::size_t n) {
        auto z = (state_ += 0x9E3779B97F4A7C15U);
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
        return static_cast<std::size_t>((z ^ (z >> 31)) % n);
    }
    std::string_view any(const Words& words) { return words[below(words.size())]; }

private:
    std::uint64_t state_;
};

void add(std::string& text, std::string_view pattern, const Language& language, Dice& dice) {
    for (const char c : pattern) {
        if (c == '#') {
            text += std::to_string(2 + dice.below(dice.below(3) == 0 ? 400 : 28));
        } else if (c == '@') {
            text += dice.any(language.places);
        } else if (c == '$') {
            text += dice.any(language.people);
        } else {
            text += c;
        }
    }
}

}  // namespace

std::string report_text(std::uint32_t number) {
    Dice dice(number + 1);
    // An office writes in one language, mostly: runs of sixteen.
    const auto& language = languages[(number / 16) % languages.size()];
    std::string text;
    while (text.size() < text_bytes - 60) {
        add(text, dice.any(language.when), language, dice);
        add(text, dice.any(language.happening), language, dice);
        if (dice.below(3) != 0) {
            text += language.before_consequence;
            add(text, dice.any(language.consequence), language, dice);
        }
        text += language.end;
    }
    text += '\n';
    return text;
}

std::vector<std::string> report_texts(std::uint32_t count) {
    std::vector<std::string> texts;
    if (const char* folder = std::getenv("FIELDPOST_TEXTS"); folder != nullptr) {
        std::set<std::filesystem::path> files;
        for (const auto& entry : std::filesystem::directory_iterator(folder)) {
            files.insert(entry.path());
        }
        ensure(files.size() >= count, "FIELDPOST_TEXTS holds a file for each report");
        for (auto file = files.begin(); texts.size() < count; ++file) {
            std::ifstream in(*file, std::ios::binary);
            texts.emplace_back(std::istreambuf_iterator<char>(in),
                               std::istreambuf_iterator<char>());
        }
        return texts;
    }
    for (std::uint32_t number = 0; number < count; ++number) {
        texts.push_back(report_text(number));
    }
    return texts;
}

}  // namespace fieldpost::bench
