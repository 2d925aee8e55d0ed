"""The weaknesses that rules name, after the list of MITRE (CWE 4.x), by number."""

from __future__ import annotations

_NAMES = {
    20: "Improper Input Validation",
    22: "Path Traversal",
    73: "External Control of File Name or Path",
    77: "Command Injection",
    78: "OS Command Injection",
    88: "Argument Injection",
    89: "SQL Injection",
    94: "Code Injection",
    95: "Eval Injection",
    117: "Improper Output Neutralization for Logs",
    130: "Improper Handling of Length Parameter Inconsistency",
    190: "Integer Overflow or Wraparound",
    200: "Exposure of Sensitive Information to an Unauthorized Actor",
    209: "Generation of Error Message Containing Sensitive Information",
    252: "Unchecked Return Value",
    259: "Use of Hard-coded Password",
    276: "Incorrect Default Permissions",
    295: "Improper Certificate Validation",
    306: "Missing Authentication for Critical Function",
    312: "Cleartext Storage of Sensitive Information",
    319: "Cleartext Transmission of Sensitive Information",
    326: "Inadequate Encryption Strength",
    327: "Use of a Broken or Risky Cryptographic Algorithm",
    328: "Use of Weak Hash",
    330: "Use of Insufficiently Random Values",
    338: "Use of Cryptographically Weak Pseudo-Random Number Generator",
    340: "Generation of Predictable Numbers or Identifiers",
    345: "Insufficient Verification of Data Authenticity",
    353: "Missing Support for Integrity Check",
    369: "Divide By Zero",
    377: "Insecure Temporary File",
    390: "Detection of Error Condition Without Action",
    400: "Uncontrolled Resource Consumption",
    409: "Improper Handling of Highly Compressed Data (Data Amplification)",
    434: "Unrestricted Upload of File with Dangerous Type",
    470: "Unsafe Reflection",
    489: "Active Debug Code",
    494: "Download of Code Without Integrity Check",
    502: "Deserialization of Untrusted Data",
    506: "Embedded Malicious Code",
    522: "Insufficiently Protected Credentials",
    532: "Insertion of Sensitive Information into Log File",
    563: "Assignment to Variable without Use",
    601: "Open Redirect",
    605: "Multiple Binds to the Same Port",
    611: "Improper Restriction of XML External Entity Reference",
    617: "Reachable Assertion",
    639: "Authorization Bypass Through User-Controlled Key",
    674: "Uncontrolled Recursion",
    682: "Incorrect Calculation",
    703: "Improper Check or Handling of Exceptional Conditions",
    732: "Incorrect Permission Assignment for Critical Resource",
    754: "Improper Check for Unusual or Exceptional Conditions",
    770: "Allocation of Resources Without Limits or Throttling",
    789: "Memory Allocation with Excessive Size Value",
    798: "Use of Hard-coded Credentials",
    829: "Inclusion of Functionality from Untrusted Control Sphere",
    918: "Server-Side Request Forgery",
    942: "Permissive Cross-domain Security Policy with Untrusted Domains",
    1076: "Insufficient Adherence to Expected Conventions",
    1104: "Use of Unmaintained Third Party Components",
    1116: "Inaccurate Comments",
    1188: "Initialization of a Resource with an Insecure Default",
    1284: "Improper Validation of Specified Quantity in Input",
    1333: "Inefficient Regular Expression Complexity",
    1357: "Reliance on Insufficiently Trustworthy Component",
    1395: "Dependency on Vulnerable Third-Party Component",
}


def cwe_name(number: int) -> str:
    """The short name of a weakness, "" for one that no rule of ours names.

    Example:
        >>> cwe_name(502), cwe_name(1)
        ('Deserialization of Untrusted Data', '')
    """
    return _NAMES.get(number, "")


def cwe_title(number: int) -> str:
    """Number and name.

    Example:
        >>> cwe_title(798)
        'CWE-798: Use of Hard-coded Credentials'
    """
    name = cwe_name(number)
    return f"CWE-{number}: {name}" if name else f"CWE-{number}"


def cwe_uri(number: int) -> str:
    """The public page of a weakness."""
    return f"https://cwe.mitre.org/data/definitions/{number}.html"
