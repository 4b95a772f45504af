//! Floating-point numbers from and to decimal text, exactly: what the host saved comes back bit by bit. With whole numbers of any size, because the
//! tables of the fast ways weigh more than all of this, and nothing here reads or writes many.

use std::cmp::Ordering;
use std::fmt;

/// The bits of a significand, with the hidden one.
const PRECISION: i32 = 53;
/// The exponent of the least normal number.
const LEAST: i32 = -1022;
/// No more digits than this can tell which of two neighbours is nearer, but for whether anything follows.
const MOST_DIGITS: usize = 800;

/// A whole number, the least significant digit first, the most significant not zero.
#[derive(Clone, PartialEq, Eq)]
struct Big(Vec<u32>);

impl Big {
    fn of(number: u64) -> Self {
        let mut big = Self(Vec::new());
        big.times_plus(1, number >> 32);
        big.shift(32);
        big.times_plus(1, number & 0xffff_ffff);
        big
    }

    fn times_plus(&mut self, factor: u64, plus: u64) {
        let mut carry = plus;
        for digit in &mut self.0 {
            carry += u64::from(*digit) * factor;
            *digit = (carry & 0xffff_ffff) as u32;
            carry >>= 32;
        }
        if carry > 0 {
            self.0.push((carry & 0xffff_ffff) as u32);
        }
    }

    fn times_ten_to(&mut self, mut power: u32) {
        while power > 0 {
            let now = power.min(9);
            self.times_plus(10_u64.pow(now), 0);
            power -= now;
        }
    }

    fn shift(&mut self, bits: i32) {
        let bits = bits.unsigned_abs();
        self.times_plus(1 << (bits % 32), 0);
        if !self.0.is_empty() {
            let mut moved = vec![0; (bits / 32) as usize];
            moved.append(&mut self.0);
            self.0 = moved;
        }
    }

    fn plus(&mut self, other: &Self) {
        let mut carry = 0;
        for at in 0..self.0.len().max(other.0.len()) {
            if at == self.0.len() {
                self.0.push(0);
            }
            carry += u64::from(self.0[at]) + other.0.get(at).copied().map_or(0, u64::from);
            self.0[at] = (carry & 0xffff_ffff) as u32;
            carry >>= 32;
        }
        if carry > 0 {
            self.0.push(1);
        }
    }

    /// Takes away what is not larger.
    fn minus(&mut self, other: &Self) {
        let mut borrowed = false;
        for (at, digit) in self.0.iter_mut().enumerate() {
            let (left, first) = digit.overflowing_sub(other.0.get(at).copied().unwrap_or(0));
            let (left, second) = left.overflowing_sub(u32::from(borrowed));
            *digit = left;
            borrowed = first || second;
        }
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }

    /// Bits up to the most significant one.
    fn bits(&self) -> i32 {
        let highest = self.0.last().map_or(0, |digit| 32 - digit.leading_zeros());
        i32::try_from(self.0.len().saturating_sub(1) * 32).unwrap_or(i32::MAX).saturating_add_unsigned(highest)
    }
}

impl Ord for Big {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()))
    }
}

impl PartialOrd for Big {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The number that is nearest to a decimal one without a sign; of two that are, the even one. `mantissa` has digits, and a point perhaps.
pub(super) fn nearest(mantissa: &str, exponent: i32) -> f64 {
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut tens = exponent.saturating_sub_unsigned(u32::try_from(fraction.len()).unwrap_or(u32::MAX));
    let (mut number, mut digits, mut more) = (Big(Vec::new()), 0, 0);
    for digit in whole.bytes().chain(fraction.bytes()).skip_while(|digit| *digit == b'0') {
        if digits < MOST_DIGITS {
            number.times_plus(10, u64::from(digit - b'0'));
            digits += 1;
        } else {
            tens = tens.saturating_add(1);
            more |= u64::from(digit != b'0');
        }
    }
    number.times_plus(10, more);
    tens = tens.saturating_sub(1);
    let magnitude = tens.saturating_add(i32::try_from(digits).unwrap_or(i32::MAX));
    if number.0.is_empty() || magnitude < -400 {
        return 0.0;
    }
    if magnitude > 400 {
        return f64::INFINITY;
    }
    // The number is `number / unit`, made to be from 1 to 2 times a power of two.
    let mut unit = Big::of(1);
    if tens >= 0 { &mut number } else { &mut unit }.times_ten_to(tens.unsigned_abs());
    let mut two = number.bits() - unit.bits();
    if two >= 0 { &mut unit } else { &mut number }.shift(two);
    if number < unit {
        number.shift(1);
        two -= 1;
    }
    let mut significand = 0_u64;
    for _ in 0..(two - LEAST + PRECISION).min(PRECISION) {
        significand <<= 1;
        if number >= unit {
            number.minus(&unit);
            significand |= 1;
        }
        number.shift(1);
    }
    let up = match number.cmp(&unit) {
        Ordering::Less => 0,
        Ordering::Equal => significand & 1,
        Ordering::Greater => u64::from(two - LEAST + PRECISION >= 0),
    };
    let bits = (u64::try_from(two - LEAST).unwrap_or(0) << (PRECISION - 1)) + significand + up;
    f64::from_bits(bits.min(f64::INFINITY.to_bits()))
}

/// A finite number as the shortest text that reads as it, laid out as `serde_json` does.
pub(crate) struct Shortest(pub f64);

impl Shortest {
    /// The digits of a number that is above zero, and how many of them stand before the point.
    fn digits(&self) -> (String, i32) {
        let bits = self.0.abs().to_bits();
        let (field, fraction) = (bits >> (PRECISION - 1), bits & ((1 << (PRECISION - 1)) - 1));
        let hidden = u64::from(field > 0) << (PRECISION - 1);
        let significand = fraction | hidden;
        let two = i32::try_from(field.max(1)).unwrap_or(0) + LEAST - PRECISION;
        // Below a power of two the next number is half as far away as above it.
        let near = i32::from(fraction == 0 && field > 1);
        // The number is `number / unit`; what is nearer than `below`, or `above`, reads as it.
        let (mut number, mut unit, mut above, mut below) = (Big::of(significand), Big::of(1), Big::of(1), Big::of(1));
        number.shift(1 + near);
        unit.shift(1 + near);
        above.shift(near);
        for big in if two >= 0 { vec![&mut number, &mut above, &mut below] } else { vec![&mut unit] } {
            big.shift(two);
        }
        let even = significand & 1 == 0;
        let reaches = |number: &Big, above: &Big, unit: &Big| {
            let mut most = number.clone();
            most.plus(above);
            most > *unit || (even && most == *unit)
        };
        let mut point = ((Big::of(significand).bits() + two - 1) * 30103).div_euclid(100_000) + 1;
        for big in if point < 0 { vec![&mut number, &mut above, &mut below] } else { vec![&mut unit] } {
            big.times_ten_to(point.unsigned_abs());
        }
        while reaches(&number, &above, &unit) {
            unit.times_plus(10, 0);
            point += 1;
        }
        let mut digits = String::new();
        loop {
            for big in [&mut number, &mut above, &mut below] {
                big.times_plus(10, 0);
            }
            let mut digit = b'0';
            while number >= unit {
                number.minus(&unit);
                digit += 1;
            }
            let low = number < below || (even && number == below);
            let high = reaches(&number, &above, &unit);
            let up = match (low, high) {
                (true, true) => {
                    number.times_plus(2, 0);
                    number > unit || (number == unit && digit % 2 == 1)
                }
                (_, high) => high,
            };
            digits.push(char::from(digit + u8::from(up)));
            if low || high {
                return (digits, point);
            }
        }
    }
}

impl fmt::Display for Shortest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_sign_negative() {
            f.write_str("-")?;
        }
        if self.0 == 0.0 {
            return f.write_str("0.0");
        }
        let (digits, point) = self.digits();
        let places = usize::try_from(point).unwrap_or(0);
        if (1..=16).contains(&point) {
            let (whole, fraction) = digits.split_at(places.min(digits.len()));
            let fraction = if fraction.is_empty() { "0" } else { fraction };
            return write!(f, "{whole}{}.{fraction}", "0".repeat(places.saturating_sub(digits.len())));
        }
        if (-4..=0).contains(&point) {
            return write!(f, "0.{}{digits}", "0".repeat(point.unsigned_abs() as usize));
        }
        let (first, rest) = digits.split_at(1);
        let dot = if rest.is_empty() { "" } else { "." };
        write!(f, "{first}{dot}{rest}e{:+}", point - 1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> f64 {
        let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
        nearest(mantissa, exponent.parse().unwrap())
    }

    fn check(float: f64) {
        let theirs = serde_json::to_string(&float).unwrap();
        assert_eq!(Shortest(float).to_string(), theirs, "{:x}", float.to_bits());
        assert_eq!(read(theirs.trim_start_matches('-')).to_bits(), float.abs().to_bits(), "{theirs}");
    }

    #[test]
    fn every_power_of_two_and_its_neighbours() {
        for field in 0..2047_u64 {
            for offset in [0, 1, 2, 3, (1 << 52) - 1, (1 << 52) - 2, 1 << 51] {
                check(f64::from_bits((field << 52) + offset));
            }
        }
        for number in 0..2000_u32 {
            check(f64::from(number));
            check(f64::from(number) / 8.0);
            check(f64::from(number) / 1000.0);
        }
        check(-0.0);
        check(-1.5e300);
    }

    #[test]
    fn halves_go_to_the_even_neighbour_and_a_digit_far_behind_tells() {
        for text in [
            "9007199254740993",
            "9007199254740993.0000000000000000000000000000000000001",
            "2.4703282292062327208299e-324",
            "2.47032822920623272088284396434110686182e-324",
            "1.7976931348623158e308",
            "1.7976931348623159e308",
            "179769313486231580793728971405303415079934132710037826936173778980444968292764750946649017977587207096330286416692887910946555547851940402630657488671505820681908902000708383676273854845817711531764475730270069855571366959622842914819860834936475292719074168444365510704342711559699508093042880",
            "0.00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000001",
        ] {
            assert_eq!(read(text).to_bits(), text.parse::<f64>().unwrap().to_bits(), "{text}");
        }
        let half = format!("9007199254740993.{}1", "0".repeat(2000));
        assert_eq!(read(&half).to_bits(), half.parse::<f64>().unwrap().to_bits());
    }

    proptest! {
        #[test]
        fn as_serde_json_writes_and_std_reads(bits: u64, digits in "[0-9]{1,40}(\\.[0-9]{1,40})?", exponent in -400..400) {
            let float = f64::from_bits(bits);
            if float.is_finite() {
                check(float);
            }
            let text = format!("{digits}e{exponent}");
            prop_assert_eq!(read(&text).to_bits(), text.parse::<f64>().unwrap().to_bits(), "{}", text);
        }
    }
}
