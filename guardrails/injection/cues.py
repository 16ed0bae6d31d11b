"""What is looked at besides meaning and words: how a text stands among its neighbours, and a few telling words.

The telling words are stems in many languages, since the encoder knows English alone: somebody who tells an assistant
to ignore its instructions says so with some of these, in whatever order.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

TEXT_CUES = ("overrides", "reveals", "secret", "unbound", "assistant", "foreign")
SHAPE_CUES = (  # and how a piece looks beside the others
    *TEXT_CUES,
    *(
        "alone",
        "question",
        "about the reply",
        "table row",
        "beside a table",
        "length",
        "first",
        "last",
        "code",
        "request",
    ),
)
PIECE_CUES = (*SHAPE_CUES, "like the rest", "like any", "like neighbours", "request unlike the rest")
LONG = 400  # characters from which a piece counts as long

_OVERRIDE = """
ignor disregard forget overrid overrul bypass discard vergiss vergess missacht oubli négligez olvid descart
dimentic trascur esque desconsider negeer vergeet zignoruj zapomnij pomiń görmezden yok unut glöm bortse игнорир
забуд забыт пренебрег 忽略 无视 無視 忘れ 忘记 무시 잊어 تجاهل انس अनदेखा भूल abaikan lupakan bỏ quên unohda
sivuuta ohita ignoruj zapomeň figyelmen αγνό ξέχνα התעלם שכח เพิกเฉย ลืม
"""
_RULES = """
instruct instrukt instruc instruç istruz direct guideline rule prompt anweisung regel vorgabe consigne règle
regla norma regol polecen instrukc reguł zasad talimat kural regler инструкц правил указан 指令 指示 规则 規則
提示 지시 규칙 명령 تعليمات قواعد निर्देश नियम instruksi aturan hướng quy ohje sään pokyn pravidl utasítás οδηγί
κανόν הוראות คำสั่ง กฎ
"""
_REVEAL = """
reveal print show repeat output display tell give disclose share leak say spell zeig nenn verrat wiederhol sag
gib ausgeb montre révèle dis donne répèt muestra muéstra revel dime dame repite mostra dimmi rivela ripeti diga
mostre toon vertel geef pokaż ujawnij powiedz podaj göster söyle açıkla avslöja berätta säg покаж скаж раскр
назов повтор 告诉 显示 透露 重复 教え 表示 알려 보여 말해 أخبر اكشف أظهر बताओ दिखाओ बताइए beritahu tunjukkan
ungkapkan cho tiết kerro näytä paljasta řekni ukaž
"""  # noqa: RUF001 - Turkish
_HIDDEN = """
secret geheim secreto secrète segreto segreta segredo secreta tajn gizli hemlig salai tajem секрет тайн 秘密
密码 密钥 비밀 秘密の سري كلمة गुप्त rahasia bí mật password passwort kennwort contraseña contrasena senha
wachtwoord hasł şifre lösenord парол パスワード 비밀번호 passphrase codeword systemprompt системн 系统提示
시스템 システムプロンプト
"""
_UNBOUND = """
unfiltered uncensored unrestricted jailbreak amoral unethical restriction censor filter einschränkung beschränk
ungefiltert non-filtré restricciones restrizioni restrições beperkingen ogranicz kısıtlama begränsning ограничен
限制 制限 제한 قيود प्रतिबंध
"""  # noqa: RUF001 - Turkish
_ASSISTANT = """assistant chatbot gpt chatgpt openai assistent asistente assistente нейросеть ассистент"""


def _any_of(stems: str) -> re.Pattern[str]:
    words = "|".join(map(re.escape, re.findall(r"[^\s]+", stems)))
    # Scripts that put no space between words have their stems anywhere.
    return re.compile(rf"(?<![a-zà-ÿа-яё])(?:{words})", re.IGNORECASE)


_OVERRIDES, _OF_RULES, _REVEALS, _SECRETS = map(_any_of, (_OVERRIDE, _RULES, _REVEAL, _HIDDEN))
_UNBOUNDS = _any_of(_UNBOUND)
_ASSISTANTS = re.compile(rf"\b(?:{'|'.join(re.findall(r'[^ ]+', _ASSISTANT))})\b", re.IGNORECASE)
_REPLY = re.compile(
    r"\b(?:your|the|this)\s+(?:own\s+)?(?:\w+\s+)?(?:repl(?:y|ies)|responses?|answers?|messages?|output|summary|"
    r"code(?:base)?|implementation|solution|program|algorithm|project)\b|\b(?:assistant|language model|chatbot|AI)\b",
    re.IGNORECASE,
)
# How a request to an assistant begins. A sentence that is none may lie far from the subject without meaning anything.
_REQUESTS = """
add adopt analy[sz]e answer append apply arrange augment begin blend break build calculate change classify
combine compare complete compose compute conclude consider convert count craft create define deliver describe
design develop disregard discuss display double draft elaborate embed employ encode encourage end enhance ensure
enumerate evaluate exchange explain express extract find finish follow forget format generate give group guide
help highlight hint identify ignore illustrate imagine implement improve include incorporate inform insert
integrate interpret introduce list make mention merge mix modify name offer outline output paraphrase perform
plan predict present pretend print produce promote propose prove provide put rank rate read recommend
reformulate remind remove render repeat rephrase replace reply report respond reveal reverse review rewrite
schedule score scramble search select send sentiment share shorten show shuffle simplify solve sort speak spell
start state stop substitute suggest sum summari[sz]e swap switch talk teach tell throw translate treat turn use
utili[sz]e what what's when where which who whose why how write please can could would will is are do does did
your if in
"""
_REQUEST = re.compile(rf"\W*(?:{'|'.join(re.findall(r'[^ ' + chr(10) + ']+', _REQUESTS))})\b", re.IGNORECASE)
_CODE = re.compile(r"[{}=;<>]|^\W")


def of_text(text: str, english: float) -> list[float]:
    """Telling words of one text, in the order of ``TEXT_CUES``.

    Args:
        english: share of its letters that English has.
    """
    rules, secret = bool(_OF_RULES.search(text)), bool(_SECRETS.search(text))
    return [
        float(rules and bool(_OVERRIDES.search(text))),
        float((secret or rules) and bool(_REVEALS.search(text))),
        float(secret),
        float(bool(_UNBOUNDS.search(text))),
        float(bool(_ASSISTANTS.search(text))),
        1 - english,
    ]


def of_shape(texts: Sequence[str], english: Sequence[float]) -> np.ndarray:
    """Cues of the pieces of one passage that need no embedding, in the order of ``SHAPE_CUES``: (n, cues)."""
    import numpy as np

    count = len(texts)
    rows = np.array([text.count("|") >= 2 for text in texts], dtype=float)
    places = np.arange(count)
    return np.column_stack(
        [
            [of_text(text, share) for text, share in zip(texts, english, strict=True)],
            np.full(count, float(count == 1)),
            [text.endswith("?") for text in texts],
            [bool(_REPLY.search(text)) for text in texts],
            rows,
            rows.mean() * (1 - rows),
            [min(len(text), LONG) / LONG for text in texts],
            places == 0,
            places == count - 1,
            [bool(_CODE.search(text)) for text in texts],
            [_is_request(text) for text in texts],
        ]
    ).astype(float)


def of_pieces(texts: Sequence[str], english: Sequence[float], vectors: np.ndarray) -> np.ndarray:
    """Cues of the pieces of one passage, in the order of ``PIECE_CUES``: an instruction is often off its subject.

    Args:
        vectors: (n, 384), each of length 1.

    Returns:
        (n, cues)
    """
    import numpy as np

    weights = np.array([min(len(text), LONG // 2) for text in texts], dtype=float)[:, None]
    rest = (vectors * weights).sum(axis=0) - vectors * weights
    rest /= np.maximum(np.linalg.norm(rest, axis=1, keepdims=True), 1e-6)
    like = (vectors * rest).sum(axis=1)
    alike = vectors @ vectors.T
    np.fill_diagonal(alike, 0.0)
    beside = np.maximum(np.r_[np.diagonal(alike, 1), 0.0], np.r_[0.0, np.diagonal(alike, 1)])
    shape = of_shape(texts, english)
    requests = shape[:, SHAPE_CUES.index("request")]
    return np.column_stack([shape, like, alike.max(axis=1), beside, requests * (1 - like)])


def _is_request(text: str) -> bool:
    """A question, or a sentence that begins as requests do. In another script there is no telling: then it is one."""
    return text.endswith("?") or bool(_REQUEST.match(text)) or not re.search("[A-Za-z]{2}", text)
