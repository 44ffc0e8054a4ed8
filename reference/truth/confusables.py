"""Characters that make two texts look alike or hide something: invisible, control and bidirectional ones, and letters
of other scripts that are drawn like Latin ones.

The look-alikes are the letters of every script that Unicode's confusables table (UTS 39) gives a Latin prototype, Latin
small capitals, and the small letters of scripts whose capitals it gives one. Compatibility forms (full-width,
mathematical, ligatures) are folded by NFKC.
"""

from __future__ import annotations

import unicodedata

LOOK_ALIKES_OF = {
    "A": "ΑАᎪᗅꓮꭺ𐊠𖽀",
    "a": "ɑαаᴀ",
    "B": "ΒВᏴᏼᗷꓐꞴ𐊂𐊡𐌁",
    "b": "ƄʙЬвᏏᑲᖯꮟ",
    "C": "СᏟⲤꓚ𐊢𐌂𐐕𐔜",
    "c": "сᴄⲥꮯ𐐽",
    "D": "Ꭰᗞᗪꓓꭰ",
    "d": "ԁᏧᑯᴅꓒꮷ",
    "E": "ΕЕᎬⴹꓰꭼ𐊆𑢦𑢮",
    "e": "еҽᴇꬲ",
    "F": "ϜᖴꓝꞘ𐊇𐊥𐔥𑢢𑣂",
    "f": "քẝꜰꞙꬵ",
    "G": "ԌᏀᏳᏻꓖꮐ",
    "g": "ƍɡɢցᶃ",
    "H": "ΗНᎻᕼⲎꓧꮋ𐋏",
    "h": "ʜнһհᏂꮒ",
    "I": "ΙІ",
    "i": "ıɩɪιіӏᎥꙇꭵ𑣃",
    "J": "ͿЈᎫᒍꓙꞲꭻ",
    "j": "ϳјᴊ",
    "K": "ΚКᏦᛕⲔꓗꮶ𐔘",
    "k": "кᴋ",
    "L": "ԼᏞᒪⳐꓡꮮ𐐛𐔦𑢣𑢲𖼖",
    "l": "ƖǀʟӀᛁⲒⵏꓲ𐊊𐌉𖼨",
    "M": "ΜϺМᎷᗰᛖⲘꓟꮇ𐊰𐌑",
    "m": "мᴍ",
    "N": "ΝⲚꓠ𐔓",
    "n": "ɴոռ",
    "O": "ΟОՕଠዐⲞⵔꓳ𐊒𐊫𐐄𐓂𐔖𑢵",
    "o": "οσоօ\u0c02\u0c82\u0d02ഠ\u0d82ဝჿᴏᴑⲟꬽ𐐬𐓪𑣈𑣗",
    "P": "ΡРᏢᑭⲢꓑꮲ𐊕",
    "p": "ρрᴘⲣ",
    "Q": "Ԛⵕ",
    "q": "ԛգզꞯ",
    "R": "ƦᎡᏒᖇꓣꭱꮢ𐒴𖼵",
    "r": "ʀгᎱᴦⲅꭇꭈꮁ",
    "S": "ЅՏᏕᏚꓢꮥ𐊖𐐠𖼺",
    "s": "ƽѕꜱꮪ𐑈𑣁",
    "T": "ΤТᎢⲦꓔꭲ𐊗𐊱𐌕𑢼𖼊",
    "t": "тᴛ",
    "U": "Սሀᑌꓴ𐓎𑢸𖽂",
    "u": "ʋυսᴜꞟꭎꭒ𐓶𑣘",
    "V": "ѴᏙᐯⴸꓦꛟ𐔝𑢠𖼈",
    "v": "νѵᴠꮩ𑜆𑣀",
    "W": "ԜᎳᏔꓪꮤ",
    "w": "ɯѡԝաᴡꮃ𑜊𑜎𑜏",
    "X": "ΧХᚷⲬⵝꓫꞳ𐊐𐊴𐌗𐔧",
    "x": "хᕁᕽ",
    "Y": "ΥУҮᎩᎽⲨꓬꭹꮍ𐊲𑢤𖽃",
    "y": "ɣʏγуүყᶌỿꭚ𑣜",
    "Z": "ΖᏃꓜ𑢩",
    "z": "ᴢꮓ𑣄",
    "-": "\u2010\u2012\u2013\u2212",
    "3": "З",
}
"""Letters, and hyphens, that are drawn like a Latin one."""
LOOK_ALIKES = str.maketrans({char: latin for latin, chars in LOOK_ALIKES_OF.items() for char in chars})
_HIDDEN_CATEGORIES = ("Cc", "Cf", "Cs", "Zl", "Zp")


def hidden_characters(text: str) -> str:
    """Return the control, format (bidirectional, zero-width) and separator characters of a text."""
    return "".join(char for char in text if unicodedata.category(char) in _HIDDEN_CATEGORIES)


def skeleton(text: str) -> str:
    """Return a text that is equal for texts that look equal.

    Compatibility forms and look-alikes are folded, hidden characters and case dropped.
    """
    folded = unicodedata.normalize("NFKC", text).translate(LOOK_ALIKES)
    return "".join(char for char in folded if unicodedata.category(char) not in _HIDDEN_CATEGORIES).strip().casefold()


def code_points(text: str, limit: int = 5) -> str:
    """Return the distinct characters of a text that are not printable ASCII, as code points with their names."""
    odd = list(dict.fromkeys(char for char in text if not " " <= char <= "~"))
    named = [f"U+{ord(char):04X} {unicodedata.name(char, 'control character')}" for char in odd[:limit]]
    return ", ".join(named) + (", ..." if len(odd) > limit else "")
