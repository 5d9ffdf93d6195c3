"""Files that run when somebody opens them: what the large mailbox providers refuse, and a little more.

Sources: https://support.google.com/mail/answer/6590 (Gmail) and
https://support.microsoft.com/office/434752e1-02d3-4e90-9124-8b81e49a8519 (Outlook), as published in 2026. A mail that
carries one of them is bounced, or arrives without its file, so sending it is no service to anybody.
"""

from __future__ import annotations

from typing import Final

_GMAIL: Final = (
    "ade adp apk appx appxbundle bat cab chm cmd com cpl diagcab diagcfg diagpkg dll dmg ex ex_ exe hta img ins iso "
    "isp jar jnlp js jse lib lnk mde mjs msc msi msix msixbundle msp mst nsh pif ps1 scr sct shb sys vb vbe vbs vhd "
    "vxd wsc wsf wsh xll"
)
_OUTLOOK: Final = (
    "ade adp app appcontent-ms application appref-ms asp aspx asx bas bat bgi cab cdxml cer chm cmd cnt com cpl crt "
    "csh der diagcab exe fxp gadget grp hlp hpj hta htc inf ins iso isp its jar jnlp js jse ksh lnk mad maf mag mam "
    "maq mar mas mat mau mav maw mcf mda mdb mde mdt mdw mdz mht mhtml msc msh msh1 msh1xml msh2 msh2xml mshxml msi "
    "msp mst msu ops osd pcd pif pl plg prf prg printerexport ps1 ps1xml ps2 ps2xml psc1 psc2 psd1 psdm1 pssc pst py "
    "pyc pyo pyw pyz pyzw reg scf scr sct search-ms settingcontent-ms shb shs theme tmp udl url vb vbe vbp vbs vhd "
    "vhdx vsmacros vsw webpnp website ws wsb wsc wsf wsh xbap xll xnk"
)
# Pages and drawings with scripts in them, Office files with macros, scripts and packages of other systems.
_OURS: Final = (
    "htm html shtml svg svgz xht xhtml "
    "docm dotm potm ppam ppsm pptm sldm slk xla xlam xlm xlsb xlsm xltm "
    "action appimage appinstaller bash command deb desktop dylib elf fish jsx library-ms msm php pkg rb rdp rpm run "
    "scpt sh so swf tcl vbscript wasm workflow xpi zsh"
)
REFUSED_EXTENSIONS: Final[frozenset[str]] = frozenset(f"{_GMAIL} {_OUTLOOK} {_OURS}".split())
"""Extensions, lower case and without their dot, that are refused unless they are allowed by name."""

REFUSED_TYPES: Final[frozenset[str]] = frozenset(
    {
        "application/hta", "application/java-archive", "application/javascript",
        "application/vnd.android.package-archive", "application/vnd.microsoft.portable-executable",
        "application/x-apple-diskimage", "application/x-bat", "application/x-csh", "application/x-dosexec",
        "application/x-elf", "application/x-executable", "application/x-httpd-php", "application/x-iso9660-image",
        "application/x-javascript", "application/x-mach-binary", "application/x-ms-installer",
        "application/x-ms-shortcut", "application/x-msdos-program", "application/x-msdownload", "application/x-msi",
        "application/x-perl", "application/x-python-code", "application/x-sh", "application/x-sharedlib",
        "application/x-shellscript", "application/x-shockwave-flash", "application/xhtml+xml", "image/svg+xml",
        "text/html", "text/javascript", "text/scriptlet", "text/vbscript", "text/x-python", "text/x-sh",
        "text/x-shellscript",
    }
)  # fmt: skip
"""Content types that are refused where the extension says nothing."""

_MAGICS: Final = (
    b"\x7fELF",
    b"#!",  # a script for the interpreter it names
    b"\xfe\xed\xfa\xce", b"\xfe\xed\xfa\xcf", b"\xce\xfa\xed\xfe", b"\xcf\xfa\xed\xfe",  # Mach-O
    b"\xca\xfe\xba\xbe",  # Mach-O for several processors, and Java classes
    b"L\x00\x00\x00\x01\x14\x02\x00",  # a Windows shortcut
    b"ITSF",  # compiled HTML help
)  # fmt: skip
_DOS_HEADER: Final = 64  # octets; the last four are an offset into the file, so that one of them is zero


def is_refused_extension(extension: str) -> bool:
    """Tell whether a file with this extension runs when it is opened; `{…}` is a class id, which Windows obeys."""
    return extension in REFUSED_EXTENSIONS or extension.startswith("{")


def is_executable_content(content: bytes) -> bool:
    """Tell whether the first octets are those of a program or a script, whatever the file is called."""
    if content.startswith(_MAGICS):
        return True
    # Prose may begin with these two letters, but holds no zero octet.
    return content.startswith(b"MZ") and b"\x00" in content[:_DOS_HEADER]
