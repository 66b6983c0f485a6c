//! What a register measures.

use crate::unit::coded;

coded! {
    /// A physical or administrative quantity (EN 13757-3 tables 10, 12 and 14). The codes stand in stored
    /// readings and never change: 1-99 the primary table, 100-199 extension FB, 200-299 extension FD,
    /// 300 and up what only OBIS codes name, 900 and up what is known only to the maker or changed by a modifier.
    Quantity {
        /// Energy.
        Energy = 1, "energy";
        /// Volume that passed the meter.
        Volume = 2, "volume";
        /// Mass that passed the meter.
        Mass = 3, "mass";
        /// How long the meter has been on.
        OnTime = 4, "on-time";
        /// How long the meter has been operating.
        OperatingTime = 5, "operating-time";
        /// Power.
        Power = 6, "power";
        /// Volume flow.
        VolumeFlow = 7, "volume-flow";
        /// Mass flow.
        MassFlow = 8, "mass-flow";
        /// Temperature of the flow line.
        FlowTemperature = 9, "flow-temperature";
        /// Temperature of the return line.
        ReturnTemperature = 10, "return-temperature";
        /// Flow minus return.
        TemperatureDifference = 11, "temperature-difference";
        /// Temperature around the meter.
        ExternalTemperature = 12, "external-temperature";
        /// Pressure.
        Pressure = 13, "pressure";
        /// A date.
        Date = 14, "date";
        /// A date with a time of day, or a time of day.
        DateTime = 15, "datetime";
        /// Consumption of a heat cost allocator.
        HeatCost = 16, "heat-cost";
        /// Over how long values are averaged.
        AveragingDuration = 17, "averaging-duration";
        /// How old the measurement is.
        ActualityDuration = 18, "actuality-duration";
        /// Fabrication number.
        FabricationNumber = 19, "fabrication-number";
        /// Enhanced identification.
        EnhancedIdentification = 20, "enhanced-identification";
        /// Bus address.
        BusAddress = 21, "bus-address";
        /// A quantity that the meter names only by a unit in letters.
        PlainText = 22, "plain-text";
        /// Any quantity, in a selection for readout.
        Any = 23, "any";

        /// Reactive energy.
        ReactiveEnergy = 100, "reactive-energy";
        /// Apparent energy.
        ApparentEnergy = 101, "apparent-energy";
        /// Reactive power.
        ReactivePower = 102, "reactive-power";
        /// Apparent power.
        ApparentPower = 103, "apparent-power";
        /// Relative humidity.
        RelativeHumidity = 104, "relative-humidity";
        /// Angle between two voltages.
        PhaseVoltageVoltage = 105, "phase-voltage-voltage";
        /// Angle between voltage and current.
        PhaseVoltageCurrent = 106, "phase-voltage-current";
        /// Frequency.
        Frequency = 107, "frequency";
        /// Cold or warm limit of a temperature.
        TemperatureLimit = 108, "temperature-limit";
        /// Cumulated maximum of active power.
        CumulatedMaximumPower = 109, "cumulated-maximum-power";
        /// Rating factor of a heat cost allocator.
        RatingFactor = 110, "rating-factor";

        /// Credit.
        Credit = 200, "credit";
        /// Debit.
        Debit = 201, "debit";
        /// Unique message identification, the former access number.
        MessageIdentification = 202, "message-identification";
        /// Device type.
        DeviceType = 203, "device-type";
        /// Manufacturer.
        Manufacturer = 204, "manufacturer";
        /// Parameter set identification.
        ParameterSet = 205, "parameter-set";
        /// Model or version.
        ModelVersion = 206, "model-version";
        /// Hardware version.
        HardwareVersion = 207, "hardware-version";
        /// Version of the metrological firmware.
        FirmwareVersion = 208, "firmware-version";
        /// Version of other software.
        SoftwareVersion = 209, "software-version";
        /// Location of the customer.
        CustomerLocation = 210, "customer-location";
        /// Customer.
        Customer = 211, "customer";
        /// Access code of a user, operator, system operator or developer.
        AccessCode = 212, "access-code";
        /// Password.
        Password = 213, "password";
        /// Error flags; zero means no error.
        ErrorFlags = 214, "error-flags";
        /// Which error flags count.
        ErrorMask = 215, "error-mask";
        /// Security key.
        SecurityKey = 216, "security-key";
        /// State of digital outputs.
        DigitalOutput = 217, "digital-output";
        /// State of digital inputs.
        DigitalInput = 218, "digital-input";
        /// Baud rate.
        BaudRate = 219, "baud-rate";
        /// Response delay.
        ResponseDelay = 220, "response-delay";
        /// Number of retries.
        Retry = 221, "retry";
        /// Remote control.
        RemoteControl = 222, "remote-control";
        /// First storage number of a cyclic storage.
        FirstStorageNumber = 223, "first-storage-number";
        /// Last storage number of a cyclic storage.
        LastStorageNumber = 224, "last-storage-number";
        /// Size of a storage block.
        StorageBlockSize = 225, "storage-block-size";
        /// Descriptor for tariff and subunit.
        TariffDescriptor = 226, "tariff-descriptor";
        /// Time from one storage to the next.
        StorageInterval = 227, "storage-interval";
        /// Data of the operator.
        OperatorData = 228, "operator-data";
        /// Second within the minute at which something happens.
        TimePointSecond = 229, "time-point-second";
        /// Time since the last readout.
        SinceLastReadout = 230, "since-last-readout";
        /// When a tariff starts.
        TariffStart = 231, "tariff-start";
        /// How long a tariff lasts.
        TariffDuration = 232, "tariff-duration";
        /// After what time a tariff comes back.
        TariffPeriod = 233, "tariff-period";
        /// A number without dimension.
        Dimensionless = 234, "dimensionless";
        /// A container for another protocol.
        Container = 235, "container";
        /// Time from one regular transmission to the next.
        TransmissionPeriod = 236, "transmission-period";
        /// Voltage.
        Voltage = 237, "voltage";
        /// Current.
        Current = 238, "current";
        /// How often something was reset.
        ResetCounter = 239, "reset-counter";
        /// How often something was cumulated.
        CumulationCounter = 240, "cumulation-counter";
        /// Control signal.
        ControlSignal = 241, "control-signal";
        /// Day of the week; 1 is Monday.
        DayOfWeek = 242, "day-of-week";
        /// Number of the week.
        WeekNumber = 243, "week-number";
        /// When a day begins for the meter.
        DayChange = 244, "day-change";
        /// State of the activation of parameters.
        ParameterActivation = 245, "parameter-activation";
        /// Special information of the supplier.
        SupplierInformation = 246, "supplier-information";
        /// Time since the last cumulation.
        SinceLastCumulation = 247, "since-last-cumulation";
        /// How long the battery has been in use.
        BatteryOperatingTime = 248, "battery-operating-time";
        /// When the battery was changed.
        BatteryChange = 249, "battery-change";
        /// Strength of the radio signal.
        RfLevel = 250, "rf-level";
        /// Begin, end and deviation of summer time.
        SummerTime = 251, "summer-time";
        /// When the meter listens.
        ListeningWindow = 252, "listening-window";
        /// How long the battery will last.
        BatteryRemaining = 253, "battery-remaining";
        /// How often the meter was stopped.
        StopCounter = 254, "stop-counter";
        /// Which application is selected.
        SelectedApplication = 255, "selected-application";

        /// Power factor: active by apparent power.
        PowerFactor = 300, "power-factor";
        /// Number of the active tariff.
        ActiveTariff = 301, "active-tariff";
        /// Why and how often the supply failed or the voltage left its bounds, counted.
        SupplyEventCounter = 302, "supply-event-counter";
        /// Name of the list of values that a meter pushes.
        PushList = 303, "push-list";

        /// When something began, ended, or crossed a limit; the modifiers say what.
        EventTime = 900, "event-time";
        /// How often a limit was exceeded.
        ExceedCount = 901, "exceed-count";
        /// How long something lasted, or a limit was exceeded.
        EventDuration = 902, "event-duration";
        /// A quantity per something; the modifiers say per what.
        Ratio = 903, "ratio";
        /// A quantity times something; the modifiers say times what.
        Product = 904, "product";
        /// How far a value is off, relative to it.
        RelativeDeviation = 905, "relative-deviation";
        /// Which OBIS code a value has.
        ObisDeclaration = 906, "obis-declaration";
        /// A quantity in units that are not metric.
        NonMetric = 907, "non-metric";
        /// Volume times the temperature of the flow line: what a heat meter's energy can be checked against.
        VolumeFlowTemperature = 908, "volume-times-flow-temperature";
        /// Volume times the temperature of the return line.
        VolumeReturnTemperature = 909, "volume-times-return-temperature";
        /// What a meter hears in its pipe.
        AcousticNoise = 910, "acoustic-noise";
        /// What only the maker knows.
        ManufacturerSpecific = 998, "manufacturer-specific";
        /// A code that the standard keeps for later.
        Reserved = 999, "reserved";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_names_find_their_way_back() {
        for quantity in Quantity::ALL {
            assert_eq!(Quantity::from_code(quantity.code()), Some(*quantity));
            assert_eq!(Quantity::from_name(quantity.name()), Some(*quantity), "{quantity:?} shares its name");
        }
        assert!(Quantity::ALL.is_sorted_by_key(|q| q.code()));
        assert_eq!(Quantity::from_code(0), None);
    }
}
